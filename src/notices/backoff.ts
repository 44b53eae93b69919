/** Pauses between the tries of a delivery: a receiver has almost a day to come back. Seconds. */
const PAUSES = [5, 30, 120, 600, 1_800, 3_600, 10_800, 21_600, 43_200] as const;

/** Tries of one delivery in all. */
export const MAX_TRIES = PAUSES.length + 1;

/** Longest pause, whatever a receiver asks for. The platform's queues can wait twice as long. */
const LONGEST_PAUSE = 43_200;

/**
 * How long to wait before the next try; null when there is none.
 * @param tries how many there have been
 * @param asked what the receiver asked for, if anything. It can only make the pause longer, so that a receiver that
 *   always asks for a second does not use up all tries in no time.
 * @returns seconds
 */
export function pauseAfter(tries: number, asked: number | null): number | null {
  const pause = PAUSES[tries - 1];
  return pause === undefined ? null : Math.min(Math.max(pause, asked ?? 0), LONGEST_PAUSE);
}

/**
 * Reads a `Retry-After` header: seconds, or a date.
 * @param now epoch ms
 * @returns whole seconds from now, 0 or more; null when the header is absent or neither
 */
export function retryAfter(header: string | null, now: number): number | null {
  if (header === null) return null;
  if (/^\s*\d{1,9}\s*$/.test(header)) return Number(header);
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, Math.ceil((at - now) / 1000));
}
