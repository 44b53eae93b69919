import { isEnded } from "./status.ts";
import type { Branch, JobRecord } from "./record.ts";

/**
 * The job's timers, derived from what it waits for rather than kept beside it, so that they cannot disagree and
 * cost no row. The object's one alarm is their minimum.
 *
 * @param branches branches without an outcome
 * @param outboxMs how long unsent history may wait for its next try
 * @returns epoch ms of the next thing to do, or null when nothing of the job is left to do
 */
export function nextDeadline(job: JobRecord, branches: readonly Branch[], outboxMs: number): number | null {
  if (isEnded(job.status)) return null;
  const due: number[] = [];
  if (job.wakeAt !== null) due.push(job.wakeAt);
  if (job.checkAt !== null) due.push(job.checkAt);
  if (job.task !== null && job.task.retryAt !== null) due.push(job.task.retryAt);
  for (const branch of branches) if (branch.retryAt !== null) due.push(branch.retryAt);
  if (job.unsent.length > 0) due.push(job.updatedAt + outboxMs);
  return due.length === 0 ? null : Math.min(...due);
}
