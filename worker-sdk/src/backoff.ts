/** Bounds of a growing delay, in milliseconds. */
export interface DelayBounds {
  baseMs: number;
  capMs: number;
}

/** A source of numbers in [0, 1), such as `Math.random`. */
export type RandomSource = () => number;

/** Longest `Retry-After` that is obeyed; a mistaken header must not put a worker to sleep for a day. */
export const MAX_RETRY_AFTER_MS = 300_000;

/**
 * Delay before the retry after failure number `failures` (0 for the first): doubles from `baseMs` up to `capMs`, with the
 * upper half left to chance, so that workers that failed together do not come back together.
 * @returns milliseconds in [step / 2, step], where step = min(capMs, baseMs · 2^failures)
 */
export function exponentialDelay(failures: number, { baseMs, capMs }: DelayBounds, random: RandomSource): number {
  const step = Math.min(capMs, baseMs * 2 ** failures);
  return step / 2 + (random() * step) / 2;
}

/**
 * Decorrelated jitter: each delay is drawn between `baseMs` and three times the one before (or three times `baseMs`).
 * It spreads a herd of reconnecting workers wider than doubling does.
 * @returns milliseconds in [baseMs, capMs]
 */
export function decorrelatedDelay(previousMs: number, { baseMs, capMs }: DelayBounds, random: RandomSource): number {
  const upper = Math.max(baseMs, previousMs) * 3;
  return Math.min(capMs, baseMs + random() * (upper - baseMs));
}

/**
 * The longer of our own delay and the one the server asked for by `Retry-After`; the latter gets up to a tenth on top,
 * because a whole fleet is often told the same number.
 */
export function atLeastRetryAfter(delayMs: number, retryAfterMs: number | undefined, random: RandomSource): number {
  if (retryAfterMs === undefined) return delayMs;
  return Math.max(delayMs, Math.min(retryAfterMs, MAX_RETRY_AFTER_MS) * (1 + random() / 10));
}

/**
 * Reads a `Retry-After` header: whole seconds or an HTTP date.
 * @returns milliseconds from `nowMs`, or undefined when the header is absent, unreadable or not in the future
 */
export function parseRetryAfter(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  const delayMs = /^\s*\d+\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return delayMs > 0 ? delayMs : undefined;
}
