import type { TaskPayload } from "../protocol/index.ts";
import type { AbortCause } from "../errors.ts";
import type { HotCache } from "./hot-cache.ts";
import type { Logger } from "../logger.ts";
import { failure, outcomeOfError, type Outcome } from "./outcome.ts";
import { PooledTask, type TaskOrigin } from "./pooled-task.ts";
import type { TaskCatalog } from "./task-catalog.ts";
import type { Middleware } from "./task-context.ts";
import { runTask, type WithFiles } from "./task-runner.ts";
import { withoutSpan, type RunSpan } from "./tracing.ts";
import type { TypeLimits } from "./type-limits.ts";

export type { TaskOrigin } from "./pooled-task.ts";

interface PoolNeeds {
  readonly catalog: TaskCatalog;
  readonly limits: TypeLimits;
  /** Tasks that may run at once. */
  readonly capacity: number;
  readonly hotCache: HotCache;
  /** The first is the outermost. */
  readonly middleware: readonly Middleware[];
  readonly logger: Logger;
  readonly withFiles?: WithFiles;
}

/** The tasks this worker has now: those that run, up to its limits, and those that came although there was no room. */
export class TaskPool {
  readonly capacity: number;
  readonly #needs: PoolNeeds;
  readonly #tasks = new Set<PooledTask>();
  readonly #listeners = new Set<() => void>();
  #span: RunSpan = withoutSpan;

  constructor(needs: PoolNeeds) {
    this.#needs = needs;
    this.capacity = needs.capacity;
  }

  /** Runs every task in a span from here on. */
  trace(span: RunSpan): void {
    this.#span = span;
  }

  /** Number of tasks. One that was told to end counts until its handler has ended. */
  get load(): number {
    return this.#tasks.size;
  }

  get hasRoom(): boolean {
    return this.load < this.capacity;
  }

  /** Whether a further task of this name could start at once, as far as the limits of types go. */
  hasRoomFor(name: string): boolean {
    return this.#needs.limits.allows(name, this.names());
  }

  /** The names of the tasks that are here; of those from others than `origin`, if one is given. */
  names(except?: TaskOrigin): string[] {
    return [...this.#tasks].flatMap(({ origin, task }) => (origin === except ? [] : [task.type]));
  }

  /** The tasks of `origin` that are here with a lease believed good. */
  heldFrom(origin: TaskOrigin): TaskPayload[] {
    return [...this.#tasks]
      .filter((pooled) => pooled.origin === origin && pooled.abortCause !== "lease_lost")
      .map(({ task }) => task);
  }

  /**
   * Takes a task, whose lease is already ours: it starts at once, or as soon as there is room. The same hand-over a second
   * time is ignored; a newer attempt of a task that is still here takes its place.
   */
  start(task: TaskPayload, origin: TaskOrigin): void {
    for (const pooled of this.#tasks) {
      if (pooled.origin !== origin || pooled.task.task_id !== task.task_id) continue;
      if (pooled.abortCause === "lease_lost") continue;
      if (pooled.task.lease === task.lease && pooled.task.attempt === task.attempt) return;
      this.#abort(pooled, "lease_lost");
    }
    const pooled: PooledTask = new PooledTask(task, origin, () => this.#abort(pooled, "deadline"));
    this.#tasks.add(pooled);
    this.#startWhatMay();
    if (!pooled.started) {
      const { job_id, task_id, attempt, type } = task;
      this.#needs.logger.info("task.waits_for_room", { job_id, task_id, attempt, type });
    }
    this.#changed();
  }

  /** Aborts the signal of a task of `origin`; unknown ids are ignored. */
  abort(origin: TaskOrigin, taskId: string, cause: AbortCause): void {
    this.aborterOfPresent(origin)(taskId, cause);
  }

  /** What aborts like {@link abort}, and later on still only what is here now: a later attempt of a task has the same id. */
  aborterOfPresent(origin: TaskOrigin): (taskId: string, cause: AbortCause) => void {
    const present = [...this.#tasks].filter((pooled) => pooled.origin === origin);
    return (taskId, cause) => {
      for (const pooled of present) if (pooled.task.task_id === taskId) this.#abort(pooled, cause);
    };
  }

  /** Aborts the signals of all tasks. */
  abortAll(cause: AbortCause): void {
    for (const pooled of this.#tasks) this.#abort(pooled, cause);
  }

  /** Calls `listener` whenever tasks have come or gone; returns the function that ends this. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves as soon as no task is here. */
  idle(): Promise<void> {
    if (this.load === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const stopListening = this.onChange(() => {
        if (this.load > 0) return;
        stopListening();
        resolve();
      });
    });
  }

  /** Starts the tasks there is room for, the first come first. */
  #startWhatMay(): void {
    const running = [...this.#tasks].filter(({ started }) => started).map(({ task }) => task.type);
    for (const pooled of this.#tasks) {
      if (running.length >= this.capacity) return;
      const { type } = pooled.task;
      if (pooled.started || !this.#needs.limits.allows(type, running)) continue;
      running.push(type);
      this.#start(pooled);
    }
  }

  #start(pooled: PooledTask): void {
    pooled.started = true;
    void this.#run(pooled);
  }

  async #run(pooled: PooledTask): Promise<void> {
    const { catalog, middleware, hotCache, logger, withFiles } = this.#needs;
    const { task, surroundings } = pooled;
    const { job_id, task_id, attempt, type } = task;
    logger.debug("task.started", { job_id, task_id, attempt, type });
    const context = {
      ...surroundings,
      addToHotCache: (name: string) => hotCache.add(name),
      removeFromHotCache: (name: string) => hotCache.remove(name),
    };
    const run = async (): Promise<Outcome | undefined> => {
      const flaw = pooled.flaw === undefined ? undefined : await pooled.flaw;
      if (flaw === undefined) return await runTask(catalog.find(type), task, context, middleware, withFiles);
      logger.error("task.not_trusted", { job_id, task_id, attempt, type, error: flaw });
      return failure({ code: "SECURITY_ERROR", message: flaw });
    };
    // What was thrown may defy being read, and what traces may fail: neither may cost the worker a place.
    const outcome = await this.#span(task, run).catch(outcomeOfError);
    if (outcome === undefined) {
      logger.warn("task.dropped", { job_id, task_id, attempt, type, reason: "lease_lost" });
    } else {
      const error = outcome.error ?? undefined;
      logger.debug("task.ended", { job_id, task_id, attempt, type, status: outcome.status, error });
    }
    await pooled.end(outcome);
    this.#tasks.delete(pooled);
    this.#startWhatMay();
    this.#changed();
  }

  /** A task that waits for room needs none to end. */
  #abort(pooled: PooledTask, cause: AbortCause): void {
    pooled.abort(cause);
    if (!pooled.started) this.#start(pooled);
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
