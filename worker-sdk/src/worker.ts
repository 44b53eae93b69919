import type { z } from "zod";
import { configure, type Configuration, type WorkerOptions } from "./configuration.ts";
import { jsonLogger, silentLogger, type Logger } from "./logger.ts";
import { OrchestratorLinks } from "./orchestrator-links.ts";
import { systemRuntime, type Runtime } from "./runtime.ts";
import { settlesWithin } from "./sleep.ts";
import { anyParams, defineTask, TaskCatalog, type TaskHandler } from "./task-catalog.ts";
import { TaskPool } from "./task-pool.ts";

export interface RunOptions {
  /** Stop gracefully at SIGINT and SIGTERM; a second signal ends the process at once. Default true. */
  handleSignals?: boolean;
}

/** What a handler gets to clean up after its signal was aborted by a stop. */
const ABORT_GRACE_MS = 5_000;
/** What the last results get to reach the orchestrator. */
const RESULT_GRACE_MS = 10_000;

/**
 * Takes tasks from an orchestrator and runs them.
 *
 * @example
 * const worker = new Worker({ workerType: "cpu", maxConcurrentTasks: 4 });
 * worker.task("resize_image", async ({ params, sendProgress }) => {
 *   await sendProgress(0.5, "half way");
 *   return { width: 10 };
 * });
 * await worker.run();
 */
export class Worker {
  readonly #configuration: Configuration;
  readonly #logger: Logger;
  readonly #runtime: Runtime;
  readonly #catalog = new TaskCatalog();
  readonly #pool: TaskPool;
  #links: OrchestratorLinks | undefined;
  #started = false;
  #stopping: Promise<void> | undefined;

  /** @throws ConfigurationError naming every option or environment variable with a wrong value */
  constructor(options: WorkerOptions = {}, runtime: Partial<Runtime> = {}) {
    this.#runtime = { ...systemRuntime(), ...runtime };
    this.#configuration = configure(options, this.#runtime.environment);
    const { workerId, logLevel, maxConcurrentTasks } = this.#configuration;
    this.#logger =
      options.logger === false ? silentLogger : (options.logger ?? jsonLogger(logLevel, { worker_id: workerId }));
    this.#pool = new TaskPool(this.#catalog, maxConcurrentTasks, this.#logger);
  }

  get workerId(): string {
    return this.#configuration.workerId;
  }

  /**
   * Names the handler of a task type, optionally with a zod schema for its params: they arrive typed, and a task whose
   * params do not fit fails with INVALID_INPUT_ERROR before the handler is called. Without a schema params are any object.
   * @returns this worker, so that calls can be chained
   * @throws TypeError when the name is empty or taken, or the worker already runs
   */
  task(name: string, handler: TaskHandler): this;
  task<Schema extends z.ZodType>(
    name: string,
    options: { params: Schema },
    handler: TaskHandler<z.output<Schema>>,
  ): this;
  task<Schema extends z.ZodType>(
    name: string,
    optionsOrHandler: { params: Schema } | TaskHandler,
    handler?: TaskHandler<z.output<Schema>>,
  ): this {
    if (this.#started) throw new TypeError(`Register the task "${name}" before run(): the orchestrator is told once.`);
    if (typeof optionsOrHandler === "function") {
      this.#catalog.add(defineTask(name, anyParams, optionsOrHandler));
    } else if (handler !== undefined) {
      this.#catalog.add(defineTask(name, optionsOrHandler.params, handler));
    } else {
      throw new TypeError(`The task "${name}" has no handler. Pass a function as the last argument.`);
    }
    return this;
  }

  /**
   * Registers with the orchestrator, or each of several, and works until `stop`.
   * @returns a promise that resolves after a graceful stop
   * @throws RegistrationRefusedError when no orchestrator wants this worker; TypeError when there is no task, or
   *   the worker has run before
   */
  async run({ handleSignals = true }: RunOptions = {}): Promise<void> {
    if (this.#started) throw new TypeError("A worker runs once. Make a new Worker to run again.");
    const { names } = this.#catalog;
    if (names.length === 0) {
      throw new TypeError('The worker has no task. Call worker.task("name", handler) before run().');
    }
    this.#started = true;
    if (this.#stopping !== undefined) return;
    this.#links = new OrchestratorLinks(this.#configuration, names, this.#pool, this.#runtime, this.#logger);
    const ignoreSignals = (): void => void process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
    const onSignal = (signal: NodeJS.Signals): void => {
      ignoreSignals();
      this.#logger.info("worker.signal", { signal });
      void this.stop();
    };
    if (handleSignals) process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
    try {
      await this.#links.run();
    } finally {
      ignoreSignals();
    }
  }

  /**
   * Stops gracefully: takes nothing new, waits for running tasks up to the shutdown timeout, aborts what still runs, hands
   * the last results over, and disconnects. Tasks whose handlers ignore the abort are given to another worker when their
   * leases end. Every call returns the same promise.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const links = this.#links;
    if (links === undefined) return;
    this.#logger.info("worker.stopping", { load: this.#pool.load });
    links.drain();
    if (!(await settlesWithin(this.#pool.idle(), this.#configuration.shutdownTimeoutMs))) {
      this.#logger.warn("worker.aborting_tasks", { load: this.#pool.load });
      this.#pool.abortAll("shutdown");
      const ended = await settlesWithin(this.#pool.idle(), ABORT_GRACE_MS);
      if (!ended) this.#logger.error("worker.tasks_abandoned", { load: this.#pool.load });
    }
    const settled = await settlesWithin(links.settled(), RESULT_GRACE_MS);
    if (!settled) this.#logger.error("worker.results_not_delivered");
    links.close();
    this.#logger.info("worker.stopped");
  }
}
