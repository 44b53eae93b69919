import { SIGNED_WITHIN_SECONDS } from "@batuta/worker/protocol";

/** How long a message may come again: its timestamp may lie ahead of the clock and then lasts twice as long. */
const REPEATABLE_MS = 2 * SIGNED_WITHIN_SECONDS * 1000;

/** A shard's answer to a signed message that was taken before. */
export const REPLAYED = "replayed";

/** What its worker is told then. */
export const TAKEN_BEFORE = "Message was taken before (replay protection)";

/** A signed message on its way inside. */
export interface SignedCall {
  readonly signature: string;
  /** Names the request that brought it, which may be passed on more than once. */
  readonly request: string;
}

/**
 * Remembers the signatures of messages that must not be taken twice. It lives in the memory of the object that has the
 * worker, so that an eviction ends it; it is bounded, so that it forgets the oldest when many come at once.
 */
export class SeenMessages {
  readonly #seen = new Map<string, { readonly at: number; readonly request: string }>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Notes a message.
   * @param graceMs how long after the first time the same may come again: two messages of one second can be the same
   * @returns whether it may be taken
   */
  note({ signature, request }: SignedCall, now: number, graceMs = 0): boolean {
    for (const [oldest, { at }] of this.#seen) {
      if (at > now - REPEATABLE_MS && this.#seen.size < this.#limit) break;
      this.#seen.delete(oldest);
    }
    const first = this.#seen.get(signature);
    if (first !== undefined) return now - first.at < graceMs || first.request === request;
    this.#seen.set(signature, { at: now, request });
    return true;
  }
}
