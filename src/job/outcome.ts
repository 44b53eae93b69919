import type { ChildOutcome, JobRecord } from "./record.ts";

/**
 * How an ended job ended, as its parent is told.
 * @throws {TypeError} for a job that has not ended
 */
export function outcomeOf(job: JobRecord): ChildOutcome {
  switch (job.status) {
    case "finished":
    case "failed":
    case "quarantined":
    case "cancelled":
      return { status: job.status, state: job.state, result: job.result, error: job.error };
    default:
      throw new TypeError(`Job ${job.id} has not ended: it is ${job.status}.`);
  }
}
