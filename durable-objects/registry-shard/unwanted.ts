import type { ShardStore } from "./shard-store.ts";

/** How long an offer may be on its way, in the dispatch queue with all its tries. */
const KEPT_MS = 60 * 60_000;

/** Attempts that their jobs let go before the offer of them came: a late offer must not begin what nobody wants. */
export class Unwanted {
  readonly #store: ShardStore;
  /** In the order in which they were let go. */
  readonly #attempts = new Map<string, { readonly attempt: number; readonly at: number }>();

  constructor(store: ShardStore) {
    this.#store = store;
    for (const { taskId, ...entry } of store.unwanted()) this.#attempts.set(taskId, entry);
  }

  has(taskId: string, attempt: number): boolean {
    return (this.#attempts.get(taskId)?.attempt ?? 0) >= attempt;
  }

  add(taskId: string, attempt: number, now: number): void {
    if (this.has(taskId, attempt)) return;
    this.#forgetBefore(now - KEPT_MS);
    this.#attempts.delete(taskId);
    this.#attempts.set(taskId, { attempt, at: now });
    this.#store.addUnwanted({ taskId, attempt, at: now });
  }

  #forgetBefore(end: number): void {
    const before = this.#attempts.size;
    for (const [taskId, { at }] of this.#attempts) {
      if (at >= end) break;
      this.#attempts.delete(taskId);
    }
    if (this.#attempts.size < before) this.#store.deleteUnwantedBefore(end);
  }
}
