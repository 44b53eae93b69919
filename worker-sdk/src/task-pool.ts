import type { ProgressUpdate, TaskPayload } from "./protocol/index.ts";
import { TaskAbortedError, type AbortCause } from "./errors.ts";
import type { Logger } from "./logger.ts";
import type { Outcome } from "./outcome.ts";
import { ProgressReporter } from "./progress-reporter.ts";
import type { TaskCatalog } from "./task-catalog.ts";
import { runTask } from "./task-runner.ts";

/** Where tasks come from and what becomes of them goes back to. */
export interface TaskOrigin {
  /** Takes the outcome over; from here on it is the origin's duty to bring it home. */
  deliver(task: TaskPayload, outcome: Outcome): void;
  /** Passes a progress report on, as well as it can; never rejects. */
  reportProgress(update: ProgressUpdate): Promise<void>;
}

interface RunningTask {
  readonly task: TaskPayload;
  readonly origin: TaskOrigin;
  readonly abort: AbortController;
  readonly progress: ProgressReporter;
}

/** The tasks that run in this worker now, up to its capacity. */
export class TaskPool {
  readonly capacity: number;
  readonly #catalog: TaskCatalog;
  readonly #logger: Logger;
  readonly #running = new Set<RunningTask>();
  readonly #listeners = new Set<() => void>();

  constructor(catalog: TaskCatalog, capacity: number, logger: Logger) {
    this.#catalog = catalog;
    this.capacity = capacity;
    this.#logger = logger;
  }

  /** Number of running tasks. A task that was told to end counts until its handler has ended. */
  get load(): number {
    return this.#running.size;
  }

  get hasRoom(): boolean {
    return this.load < this.capacity;
  }

  /** The tasks of `origin` that run with a lease believed good. */
  heldFrom(origin: TaskOrigin): TaskPayload[] {
    return [...this.#running]
      .filter((running) => running.origin === origin && !hasLostLease(running))
      .map(({ task }) => task);
  }

  /**
   * Starts a task at once, even above capacity: its lease is already ours. The same hand-over a second time is ignored;
   * a newer attempt of a task that still runs takes its place.
   */
  start(task: TaskPayload, origin: TaskOrigin): void {
    for (const running of this.#running) {
      if (running.task.task_id !== task.task_id || hasLostLease(running)) continue;
      if (running.task.lease === task.lease && running.task.attempt === task.attempt) return;
      this.#abort(running, "lease_lost");
    }
    const { job_id, task_id } = task;
    const progress = new ProgressReporter((report) => origin.reportProgress({ job_id, task_id, ...report }));
    const running = { task, origin, abort: new AbortController(), progress };
    this.#running.add(running);
    this.#changed();
    void this.#run(running);
  }

  /** Aborts the signal of a running task; unknown ids are ignored. */
  abort(taskId: string, cause: AbortCause): void {
    this.aborterOfPresent()(taskId, cause);
  }

  /** What aborts like {@link abort}, and later on still only what runs now: a later attempt of a task has the same id. */
  aborterOfPresent(): (taskId: string, cause: AbortCause) => void {
    const present = [...this.#running];
    return (taskId, cause) => {
      for (const running of present) if (running.task.task_id === taskId) this.#abort(running, cause);
    };
  }

  /** Aborts the signals of all running tasks. */
  abortAll(cause: AbortCause): void {
    for (const running of this.#running) this.#abort(running, cause);
  }

  /** Calls `listener` whenever the load has changed; returns the function that ends this. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves as soon as no task runs. */
  idle(): Promise<void> {
    return this.#until(() => this.load === 0);
  }

  /** Resolves as soon as another task may be started, or `signal` is aborted. */
  room(signal: AbortSignal): Promise<void> {
    return this.#until(() => this.hasRoom || signal.aborted, signal);
  }

  async #run(running: RunningTask): Promise<void> {
    const { task, origin, abort, progress } = running;
    const { job_id, task_id, attempt, type } = task;
    this.#logger.debug("task.started", { job_id, task_id, attempt, type });
    const outcome = await runTask(this.#catalog.find(task.type), task, {
      signal: abort.signal,
      async sendProgress(share, message) {
        progress.report(share, message);
      },
    });
    if (outcome === undefined) {
      this.#logger.warn("task.dropped", { job_id, task_id, attempt, type, reason: "lease_lost" });
    } else {
      await progress.finish();
      const error = outcome.error ?? undefined;
      this.#logger.debug("task.ended", { job_id, task_id, attempt, type, status: outcome.status, error });
      origin.deliver(task, outcome);
    }
    this.#running.delete(running);
    this.#changed();
  }

  #abort({ abort, progress }: RunningTask, cause: AbortCause): void {
    if (cause !== "shutdown") progress.discard();
    abort.abort(new TaskAbortedError(cause));
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  #until(condition: () => boolean, signal?: AbortSignal): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve) => {
      const check = (): void => {
        if (!condition()) return;
        stopListening();
        signal?.removeEventListener("abort", check);
        resolve();
      };
      const stopListening = this.onChange(check);
      signal?.addEventListener("abort", check);
    });
  }
}

function hasLostLease({ abort }: RunningTask): boolean {
  const reason: unknown = abort.signal.reason;
  return reason instanceof TaskAbortedError && reason.abortCause === "lease_lost";
}
