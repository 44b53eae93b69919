import type { JobRecord, Surroundings } from "./record.ts";

/** The job's own clock, from which its timers are set: it stands still while the job is paused. Epoch ms. */
export function clockOf(job: JobRecord, { now }: Surroundings): number {
  return job.pause?.at ?? now;
}
