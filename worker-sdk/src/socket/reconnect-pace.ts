import { atLeastRetryAfter, decorrelatedDelay, type RandomSource } from "../backoff.ts";

const BOUNDS = { baseMs: 500, capMs: 30_000 };
/** A connection that lived this long was a good one: the next break starts again with a short delay. */
const STABLE_AFTER_MS = 10_000;

/** How long a worker waits before it connects again: the first time a part of a moment, then longer and longer. */
export class ReconnectPace {
  readonly #random: RandomSource;
  #delayMs = 0;
  #spreadMs = BOUNDS.baseMs;

  constructor(random: RandomSource) {
    this.#random = random;
  }

  /**
   * How far the orchestrator wants its workers to spread when all have to connect again: the first delay after a break is
   * drawn evenly from this time.
   */
  spreadOver(ms: number | undefined): void {
    this.#spreadMs = ms ?? BOUNDS.baseMs;
  }

  /**
   * @param livedMs how long the connection lasted; 0 when it never opened
   * @param retryAfterMs what the orchestrator asked for
   * @returns milliseconds
   */
  next(livedMs: number, retryAfterMs?: number): number {
    if (livedMs >= STABLE_AFTER_MS) this.#delayMs = 0;
    let waitMs: number;
    if (this.#delayMs === 0) {
      waitMs = this.#random() * this.#spreadMs;
      this.#delayMs = Math.min(waitMs, BOUNDS.baseMs);
    } else {
      waitMs = decorrelatedDelay(this.#delayMs, BOUNDS, this.#random);
      this.#delayMs = waitMs;
    }
    return Math.round(atLeastRetryAfter(waitMs, retryAfterMs, this.#random));
  }
}
