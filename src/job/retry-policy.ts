import type { RetryPolicy } from "../blueprint/requests.ts";

/** What holds where a policy says nothing. All times in ms. */
const INITIAL_MS = 1_000;
const FACTOR = 2;
const MAX_MS = 60_000;

/**
 * Exponential backoff with full jitter: a wait chosen evenly between 0 and the exponential bound, so that jobs
 * that failed together do not come back together.
 * @param failures failures so far, from 1
 * @param random uniform in [0, 1)
 * @returns ms
 */
export function retryDelayMs(failures: number, random: () => number, policy: RetryPolicy = {}): number {
  const { initialMs = INITIAL_MS, factor = FACTOR, maxMs = MAX_MS } = policy;
  // A power too large for a number must not make 0 ms not a number.
  const bound = Math.min(maxMs, initialMs * Math.min(factor ** (failures - 1), Number.MAX_VALUE));
  return Math.round(bound * random());
}
