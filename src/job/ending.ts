import { record } from "./events.ts";
import type { JobRecord, Notice } from "./record.ts";
import type { EndStatus } from "./status.ts";

const EVENT = {
  finished: "job_finished",
  failed: "job_failed",
  quarantined: "job_quarantined",
  cancelled: "job_cancelled",
} as const;

interface End {
  readonly status: EndStatus;
  readonly error?: string;
  readonly result?: unknown;
  readonly byEndState?: boolean;
}

/** A cancelled job that ran a clean-up state is cancelled, however the clean-up went. */
function endOf(job: JobRecord, end: End): End {
  if (job.cleanUpFor === null || end.status === "cancelled") return end;
  const trouble = end.status === "finished" ? "" : ` Its clean-up ended as ${end.status}: ${end.error ?? ""}`;
  return { ...end, status: "cancelled", error: `${job.cleanUpFor}${trouble}` };
}

/**
 * Ends the job: nothing of it starts afterwards. Whoever waits for its end is told through the outbox. The branches
 * of a fan-out whose aggregator is still to run are kept, so that it can be retried.
 */
export function endJob(job: JobRecord, asked: End, now: number): JobRecord {
  const end = endOf(job, asked);
  const ended = record(
    {
      ...job,
      status: end.status,
      error: end.error ?? null,
      result: end.result ?? null,
      byEndState: end.byEndState ?? false,
      task: null,
      wait: null,
      fanOut: job.fanOut?.into === job.state ? job.fanOut : null,
      pause: null,
      cancellation: null,
      wakeAt: null,
      checkAt: null,
      deadlineAt: null,
      finishedAt: now,
    },
    {
      event_type: EVENT[end.status],
      duration_ms: now - job.createdAt,
      ...(end.error === undefined ? {} : { error: end.error }),
    },
    now,
  );
  const notices: Notice[] = job.parent === null ? [] : [{ kind: "tell_parent" }];
  if (job.webhookUrl !== null) {
    notices.push({ kind: "webhook", id: `${job.id}-${ended.eventSeq}`, event: EVENT[end.status], at: now });
  }
  return { ...ended, notices: [...job.notices, ...notices] };
}
