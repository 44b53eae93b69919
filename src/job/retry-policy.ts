/** Backoff of the n-th retry. All times in ms. */
const INITIAL_MS = 1_000;
const FACTOR = 2;
const MAX_MS = 60_000;

/**
 * Exponential backoff with full jitter: a wait chosen evenly between 0 and the exponential bound, so that jobs
 * that failed together do not come back together.
 * @param failures failures so far, from 1
 * @param random uniform in [0, 1)
 */
export function retryDelayMs(failures: number, random: () => number): number {
  const bound = Math.min(MAX_MS, INITIAL_MS * FACTOR ** (failures - 1));
  return Math.round(bound * random());
}
