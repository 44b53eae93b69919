import { createHash } from "node:crypto";
import { jobIdFrom } from "../../src/job/job-id.ts";

/** Who a job is before it exists: the same occurrence is always the same job, however often it is created. */
export interface JobName {
  readonly id: string;
  /** What the job remembers its create request by. */
  readonly requestDigest: string;
}

function nameOf(...parts: readonly string[]): JobName {
  const digest = createHash("sha256").update(JSON.stringify(parts)).digest("hex");
  return { id: jobIdFrom(digest), requestDigest: digest };
}

/** The job of an occurrence. What the schedule says may change meanwhile: it is still this one job. */
export function occurrenceJob(client: string, scheduleId: string, occurrence: number): JobName {
  return nameOf("schedule", client, scheduleId, String(occurrence));
}

/** The job of a run by hand. @param key made for each request, or given by whoever repeats one */
export function jobByHand(client: string, scheduleId: string, key: string): JobName {
  return nameOf("schedule-by-hand", client, scheduleId, key);
}
