import type { TaskLimit } from "./protocol/index.ts";
import type { HotCache } from "./tasks/hot-cache.ts";
import { describeError, type Logger } from "./logger.ts";
import { sleep } from "./sleep.ts";
import type { TaskCatalog } from "./tasks/task-catalog.ts";
import type { TaskOrigin, TaskPool } from "./tasks/task-pool.ts";
import type { TypeLimits } from "./tasks/type-limits.ts";

/** Tells whether this machine has room for a task of this name now, beside the limits that were set. */
export type CapacityChecker = (taskName: string) => boolean | Promise<boolean>;

interface AvailabilityNeeds {
  readonly catalog: TaskCatalog;
  readonly pool: TaskPool;
  readonly limits: TypeLimits;
  readonly hotCache: HotCache;
  readonly capacityChecker: CapacityChecker | undefined;
  /** Time between two questions to the capacity checker, milliseconds. */
  readonly checkEveryMs: number;
  readonly logger: Logger;
}

/** What a worker says of itself over a socket. */
export interface WorkerState {
  status: "idle" | "draining";
  supported_tasks: string[];
  task_limits: TaskLimit[];
  hot_cache: string[];
  hot_skills: string[];
}

/** What this worker can take now, as its orchestrators are told. */
export class Availability {
  readonly #needs: AvailabilityNeeds;
  /** Names of tasks that the capacity checker refuses. */
  #refused: ReadonlySet<string> = new Set();
  #draining = new AbortController();
  readonly #listeners = new Set<() => void>();

  constructor(needs: AvailabilityNeeds) {
    this.#needs = needs;
    needs.hotCache.onChange(() => this.#changed());
    needs.pool.onChange(() => this.#changed());
  }

  /** True while the worker finishes what it has and takes nothing new. */
  get draining(): boolean {
    return this.#draining.signal.aborted;
  }

  /** Aborted while the worker drains. */
  get drainSignal(): AbortSignal {
    return this.#draining.signal;
  }

  drain(): void {
    if (this.draining) return;
    this.#draining.abort();
    this.#changed();
  }

  resume(): void {
    if (!this.draining) return;
    this.#draining = new AbortController();
    this.#changed();
  }

  /** Calls `listener` whenever something may have changed of what follows; returns the function that ends this. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The tasks that could start at once. */
  get openTasks(): string[] {
    const { catalog, pool } = this.#needs;
    if (this.draining || !pool.hasRoom) return [];
    return catalog.names.filter((name) => !this.#refused.has(name) && pool.hasRoomFor(name));
  }

  /** The tasks that this machine has room for, be their types full or not. */
  get acceptedTasks(): string[] {
    return this.#needs.catalog.names.filter((name) => !this.#refused.has(name));
  }

  get hotCache(): string[] {
    return this.#needs.hotCache.entries;
  }

  /** The tasks that have all they need loaded, of those that are taken; undefined when no task needs anything. */
  get hotSkills(): string[] | undefined {
    return this.#needs.hotCache.skills?.filter((name) => !this.#refused.has(name));
  }

  /** The limits of task types, less what others than `origin` have of them: what is its own, it counts itself. */
  limitsFor(origin?: TaskOrigin): TaskLimit[] {
    const { limits, pool } = this.#needs;
    return limits.forOrchestrator(origin === undefined ? [] : pool.names(origin));
  }

  /** What an orchestrator that counts its own tasks here is to know. */
  stateFor(origin: TaskOrigin): WorkerState {
    return {
      status: this.draining ? "draining" : "idle",
      supported_tasks: this.acceptedTasks,
      task_limits: this.limitsFor(origin),
      hot_cache: this.hotCache,
      hot_skills: this.hotSkills ?? [],
    };
  }

  /** Resolves as soon as a task may be asked for, or `signal` is aborted. */
  async ready(signal: AbortSignal): Promise<void> {
    const { pool } = this.#needs;
    while (!signal.aborted && (this.draining || !pool.hasRoom)) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          stopListening();
          signal.removeEventListener("abort", wake);
          resolve();
        };
        const stopListening = this.onChange(wake);
        signal.addEventListener("abort", wake);
      });
    }
  }

  /**
   * Asks the capacity checker about every task: once before this resolves, then regularly and whenever tasks have come or
   * gone, until `signal` is aborted.
   */
  async watchCapacity(signal: AbortSignal): Promise<void> {
    if (this.#needs.capacityChecker === undefined) return;
    await this.#check();
    void this.#keepChecking(signal);
  }

  async #keepChecking(signal: AbortSignal): Promise<void> {
    let pause = new AbortController();
    const endPause = (): void => pause.abort();
    const stopListening = this.#needs.pool.onChange(endPause);
    signal.addEventListener("abort", endPause);
    while (!signal.aborted) {
      await sleep(this.#needs.checkEveryMs, pause.signal);
      // What changes from here on, while the checker is asked, makes the next pause end at once.
      pause = new AbortController();
      if (!signal.aborted) await this.#check();
    }
    stopListening();
  }

  async #check(): Promise<void> {
    const { names } = this.#needs.catalog;
    const room = await Promise.all(names.map((name) => this.#hasCapacity(name)));
    const refused = new Set(names.filter((_, index) => room[index] === false));
    const same = refused.size === this.#refused.size && [...refused].every((name) => this.#refused.has(name));
    this.#refused = refused;
    if (!same) this.#changed();
  }

  /** A checker that fails speaks against taking more. */
  async #hasCapacity(name: string): Promise<boolean> {
    try {
      return (await this.#needs.capacityChecker?.(name)) ?? true;
    } catch (error) {
      this.#needs.logger.warn("capacity.check_failed", { task: name, error: describeError(error) });
      return false;
    }
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
