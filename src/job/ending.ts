import { record } from "./events.ts";
import type { JobRecord } from "./record.ts";

type EndStatus = "finished" | "failed" | "quarantined" | "cancelled";

const EVENT = {
  finished: "job_finished",
  failed: "job_failed",
  quarantined: "job_quarantined",
  cancelled: "job_cancelled",
} as const;

/** Ends the job: nothing of it starts afterwards. */
export function endJob(
  job: JobRecord,
  end: { readonly status: EndStatus; readonly error?: string; readonly result?: unknown },
  now: number,
): JobRecord {
  const ended: JobRecord = {
    ...job,
    status: end.status,
    error: end.error ?? null,
    result: end.result ?? null,
    task: null,
    fanOut: null,
    wakeAt: null,
    checkAt: null,
    finishedAt: now,
  };
  return record(
    ended,
    {
      event_type: EVENT[end.status],
      duration_ms: now - job.createdAt,
      ...(end.error === undefined ? {} : { error: end.error }),
    },
    now,
  );
}
