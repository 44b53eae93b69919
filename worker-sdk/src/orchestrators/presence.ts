/** Whether an orchestrator can be reached: `new` as long as nothing is known of it. */
export type PresenceState = "new" | "here" | "away";

/** What is known of the reachability of one orchestrator. */
export class Presence {
  #state: PresenceState = "new";
  readonly #listeners = new Set<() => void>();
  readonly #hearers = new Set<() => void>();

  get state(): PresenceState {
    return this.#state;
  }

  set(state: "here" | "away"): void {
    const changed = this.#state !== state;
    this.#state = state;
    if (state === "here") for (const hearer of this.#hearers) hearer();
    if (changed) for (const listener of this.#listeners) listener();
  }

  /** Calls `listener` after each change; returns the function that ends this. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls `hearer` whenever the orchestrator is heard of, news or not; returns the function that ends this. */
  onHeard(hearer: () => void): () => void {
    this.#hearers.add(hearer);
    return () => this.#hearers.delete(hearer);
  }
}
