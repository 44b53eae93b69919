import { SIGNED_WITHIN_SECONDS } from "@batuta/worker/protocol";

/** How long a message may come again: its timestamp may lie ahead of the clock and then lasts twice as long. */
const REPEATABLE_MS = 2 * SIGNED_WITHIN_SECONDS * 1000;

/**
 * Remembers the signatures of messages that must not be taken twice. It lives in one isolate, so it makes replays
 * harder and does not rule them out; it is bounded, so that it forgets the oldest when many come at once.
 */
export class SeenMessages {
  readonly #seen = new Map<string, number>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Notes a message.
   * @param graceMs how long after the first time the same may come again: two messages of one second can be the same
   * @returns whether it may be taken
   */
  note(signature: string, now: number, graceMs = 0): boolean {
    for (const [oldest, at] of this.#seen) {
      if (at > now - REPEATABLE_MS && this.#seen.size < this.#limit) break;
      this.#seen.delete(oldest);
    }
    const first = this.#seen.get(signature);
    if (first !== undefined) return now - first < graceMs;
    this.#seen.set(signature, now);
    return true;
  }
}
