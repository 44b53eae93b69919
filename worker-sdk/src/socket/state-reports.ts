import type { WorkerState } from "../availability.ts";

/** What of a state goes without saying. */
const USUAL: ReadonlyMap<string, string> = new Map([
  ["status", JSON.stringify("idle")],
  ["task_limits", JSON.stringify([])],
  ["hot_cache", JSON.stringify([])],
  ["hot_skills", JSON.stringify([])],
]);

/**
 * Tells one orchestrator over its socket what has changed of the worker: that it drains at once, all else after a moment, in
 * which changes that undo each other are not worth a word.
 */
export class StateReports {
  readonly #state: () => WorkerState;
  readonly #send: (changes: Partial<WorkerState>) => void;
  readonly #debounceMs: number;
  /** What the orchestrator was told last, each member as JSON. */
  readonly #told = new Map(USUAL);
  /** Members that the orchestrator may still take for unusual: a word that they are as usual may be lost with its connection. */
  readonly #unusual = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param send carries changes over a connection that has said hello */
  constructor(state: () => WorkerState, send: (changes: Partial<WorkerState>) => void, debounceMs: number) {
    this.#state = state;
    this.#send = send;
    this.#debounceMs = debounceMs;
  }

  /**
   * What a hello says: the tasks, and all that is not as usual, or was not the last time. An orchestrator keeps the rest of what
   * it was told through a break.
   */
  hello(): Partial<WorkerState> & Pick<WorkerState, "supported_tasks"> {
    const state = this.#state();
    const news = this.#pick(state, (name, json) => this.#unusual.has(name) || json !== this.#told.get(name));
    this.#remember(state);
    return { ...news, supported_tasks: state.supported_tasks };
  }

  /** The last hello has arrived. */
  welcomed(): void {
    for (const name of this.#unusual) if (this.#told.get(name) === USUAL.get(name)) this.#unusual.delete(name);
  }

  /** Something may have changed. */
  announce(): void {
    if (JSON.stringify(this.#state().status) !== this.#told.get("status")) return this.#report();
    this.#timer ??= setTimeout(() => this.#report(), this.#debounceMs);
  }

  /** Nothing more is to be told over this connection. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #report(): void {
    this.stop();
    const state = this.#state();
    const changes = this.#pick(state, (name, json) => json !== this.#told.get(name));
    this.#remember(state);
    if (Object.keys(changes).length > 0) this.#send(changes);
  }

  #pick(state: WorkerState, wanted: (name: string, json: string) => boolean): Partial<WorkerState> {
    return Object.fromEntries(Object.entries(state).filter(([name, value]) => wanted(name, JSON.stringify(value))));
  }

  #remember(state: WorkerState): void {
    for (const [name, value] of Object.entries(state)) {
      const json = JSON.stringify(value);
      this.#told.set(name, json);
      if (USUAL.has(name) && USUAL.get(name) !== json) this.#unusual.add(name);
    }
  }
}
