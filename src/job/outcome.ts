import { filesOfResult } from "./files.ts";
import type { ChildOutcome, JobRecord } from "./record.ts";
import { isEnded } from "./status.ts";

/**
 * How an ended job ended, as its parent is told.
 * @throws {TypeError} for a job that has not ended
 */
export function outcomeOf(job: JobRecord): ChildOutcome {
  const { status, state, result, error } = job;
  if (!isEnded(status)) throw new TypeError(`Job ${job.id} has not ended: it is ${status}.`);
  const files = filesOfResult(job);
  return { status, state, result, error, ...(files !== undefined && { files }) };
}
