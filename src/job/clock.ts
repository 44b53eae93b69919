import type { JobRecord, Surroundings } from "./record.ts";

/** The job's own clock, from which its timers are set: it stands still while the job is paused. Epoch ms. */
export function clockOf(job: JobRecord, { now }: Surroundings): number {
  return job.pause?.at ?? now;
}

/** The moment some seconds after `now` (epoch ms); null for no limit. */
export function after(now: number, seconds: number | undefined): number | null {
  return seconds === undefined ? null : now + seconds * 1000;
}

/** A moment put off by some ms; one that will not come stays so. */
export function later(at: number | null, byMs: number): number | null {
  return at === null ? null : at + byMs;
}
