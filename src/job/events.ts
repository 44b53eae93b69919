import type { JobEvent } from "../history/events.ts";
import { MAX_EVENT_ERROR_CHARS } from "../limits.ts";
import type { Branch, Failure, JobRecord, Task } from "./record.ts";

/** History keeps the beginning of an error; the job itself keeps all of it. */
function cutError(error: string | undefined): { error?: string } {
  return error === undefined ? {} : { error: error.slice(0, MAX_EVENT_ERROR_CHARS) };
}

/** Appends an event to the job's history outbox. */
export function record(
  job: JobRecord,
  event: Omit<JobEvent, "seq" | "at" | "state"> & { readonly state?: string },
  now: number,
): JobRecord {
  const seq = job.eventSeq + 1;
  return {
    ...job,
    eventSeq: seq,
    updatedAt: now,
    unsent: [...job.unsent, { seq, at: now, state: job.state, status: job.status, ...event, ...cutError(event.error) }],
  };
}

/**
 * All events not known to be in the queue, in order: those of the record, and those that branch rows stand for.
 * @param fanOut the fan-out of the branches; the job's own unless the job has left it behind
 */
export function unsentEvents(job: JobRecord, branches: Iterable<Branch>, fanOut = job.fanOut): JobEvent[] {
  const events = job.unsent.filter((event) => event.seq > job.sentSeq);
  for (const { outcome, ...branch } of branches) {
    if (outcome === null || outcome.eventSeq <= job.sentSeq) continue;
    const ended = attemptEnded(branch, outcome.workerId, outcome.error, outcome.endedAt);
    const mark = outcome.status === "cancelled" ? STOPPED : {};
    events.push({ seq: outcome.eventSeq, at: outcome.endedAt, state: fanOut?.from ?? job.state, ...ended, ...mark });
  }
  return events.toSorted((a, b) => a.seq - b.seq);
}

/** Marks the end of an attempt that was cancelled: it says nothing of its worker (`history/reputation.ts`). */
export const STOPPED = { context_snapshot: { outcome: "cancelled" } } as const;

/** The event of one attempt's end, with its error if it failed. */
export function attemptEnded(task: Task, workerId: string | null, failure: Failure | null, now: number) {
  return {
    event_type: "task_finished",
    task_id: task.id,
    attempt_number: task.attempt,
    // A task whose time is up may end before its next attempt went out.
    duration_ms: Math.max(0, now - task.dispatchedAt),
    ...(workerId === null ? {} : { worker_id: workerId }),
    ...cutError(failure === null ? undefined : `${failure.code}: ${failure.message}`),
  } as const;
}
