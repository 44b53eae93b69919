import { isEnded } from "./status.ts";
import type { Branch, JobRecord } from "./record.ts";

/**
 * The job's timers, derived from what it waits for rather than kept beside it, so that they cannot disagree and
 * cost no row. The object's one alarm is their minimum. A paused job has none but those of its outbox.
 *
 * @param branches branches without an outcome
 * @param outboxMs how long what must leave the job may wait for its next try
 * @returns epoch ms of the next thing to do, or null when nothing of the job is left to do
 */
export function nextDeadline(job: JobRecord, branches: Iterable<Branch>, outboxMs: number): number | null {
  if (isEnded(job.status)) return null;
  let first = job.unsent.length > 0 || job.notices.length > 0 ? job.updatedAt + outboxMs : Infinity;
  const note = (at: number | null | undefined) => {
    if (typeof at === "number" && at < first) first = at;
  };
  if (job.cancellation !== null) {
    note(job.cancellation.until);
  } else if (job.pause === null) {
    for (const at of [job.wakeAt, job.checkAt, job.deadlineAt, job.wait?.until]) note(at);
    if (job.checkAt !== null) note(job.spillAt);
    for (const task of job.task === null ? branches : [job.task]) {
      note(task.retryAt);
      note(task.resultBy);
      if (task.retryAt === null) note(task.dispatchBy);
    }
  }
  return first === Infinity ? null : first;
}
