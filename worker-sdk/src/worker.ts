import type { z } from "zod";
import { Availability } from "./availability.ts";
import { Commands, type CommandHandler } from "./commands.ts";
import { configure, type Configuration, type WorkerOptions } from "./settings/configuration.ts";
import { ConfigurationError } from "./errors.ts";
import { stopAtSignals, stopGracefully } from "./graceful-stop.ts";
import { HotCache } from "./tasks/hot-cache.ts";
import { jsonLogger, silentLogger, type Logger } from "./logger.ts";
import { nodeBuiltins } from "./node/builtins.ts";
import { serveHealth } from "./node/health-server.ts";
import { OrchestratorLinks } from "./orchestrators/orchestrator-links.ts";
import { removeLeftovers } from "./payload/leftovers.ts";
import { payloadFiles } from "./payload/payload-files.ts";
import { requireRecentRuntime, systemRuntime, type Runtime } from "./runtime.ts";
import { defineTask, TaskCatalog, type AnyParams, type TaskOptions } from "./tasks/task-catalog.ts";
import type { Middleware, TaskHandler } from "./tasks/task-context.ts";
import type { EventSchemas } from "./tasks/task-events.ts";
import { TaskPool } from "./tasks/task-pool.ts";
import { TypeLimits } from "./tasks/type-limits.ts";

export interface RunOptions {
  /** Stop gracefully at SIGINT and SIGTERM; a second signal ends the process at once. Default true. */
  handleSignals?: boolean;
  /** Answer those who watch over the worker by HTTP, on the port `healthPort`. Default: when that port is set. */
  health?: boolean;
}

const DEFAULT_HEALTH_PORT = 8083;

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
  readonly #middleware: Middleware[] = [];
  readonly #limits: TypeLimits;
  readonly #hotCache: HotCache;
  readonly #pool: TaskPool;
  readonly #availability: Availability;
  readonly #commands: Commands;
  readonly #ended = new AbortController();
  #links: OrchestratorLinks | undefined;
  #started = false;
  #stopping: Promise<void> | undefined;

  /** @throws ConfigurationError naming every option or environment variable with a wrong value */
  constructor(options: WorkerOptions = {}, runtime: Partial<Runtime> = {}) {
    this.#runtime = { ...systemRuntime(), ...runtime };
    this.#configuration = configure(options, this.#runtime.environment);
    const { workerId, logLevel, maxConcurrentTasks, heartbeatIntervalMs } = this.#configuration;
    const logger =
      options.logger === false ? silentLogger : (options.logger ?? jsonLogger(logLevel, { worker_id: workerId }));
    this.#logger = logger;
    const catalog = this.#catalog;
    const limits = new TypeLimits(this.#configuration.taskTypeLimits, catalog);
    const hotCache = new HotCache(this.#configuration.skillDependencies);
    const middleware = this.#middleware;
    const pool = new TaskPool({
      catalog,
      limits,
      hotCache,
      middleware,
      logger,
      capacity: maxConcurrentTasks,
      withFiles: payloadFiles(this.#configuration, this.#runtime, logger),
    });
    const { capacityChecker } = options;
    const checkEveryMs = heartbeatIntervalMs;
    this.#limits = limits;
    this.#hotCache = hotCache;
    this.#pool = pool;
    this.#availability = new Availability({ catalog, pool, limits, hotCache, capacityChecker, checkEveryMs, logger });
    this.#commands = new Commands(
      {
        drain: () => this.drain(),
        undrain: () => this.resume(),
        update: () => void this.stop(),
      },
      logger,
    );
  }

  get workerId(): string {
    return this.#configuration.workerId;
  }

  /**
   * Names the handler of a task, optionally with zod schemas: of its params, which arrive typed, and a task whose params do
   * not fit fails with INVALID_INPUT_ERROR before the handler is called; of its result, which fails the task with
   * CONTRACT_VIOLATION_ERROR when it does not fit; and of its events. Without a schema params are any object.
   * @returns this worker, so that calls can be chained
   * @throws TypeError when the name is empty or taken, or the worker already runs
   */
  task(name: string, handler: TaskHandler): this;
  task<
    Params extends z.ZodType = AnyParams,
    Result extends z.ZodType = z.ZodType,
    Events extends EventSchemas = EventSchemas,
  >(
    name: string,
    options: TaskOptions<Params, Result, Events>,
    handler: TaskHandler<z.output<Params>, z.input<Result>, Events>,
  ): this;
  task<Params extends z.ZodType, Result extends z.ZodType, Events extends EventSchemas>(
    name: string,
    optionsOrHandler: TaskOptions<Params, Result, Events> | TaskHandler,
    handler?: TaskHandler<z.output<Params>, z.input<Result>, Events>,
  ): this {
    if (this.#started) throw new TypeError(`Register the task "${name}" before run(): the orchestrator is told once.`);
    if (typeof optionsOrHandler === "function") {
      this.#catalog.add(defineTask(name, {}, optionsOrHandler));
    } else if (handler !== undefined) {
      this.#catalog.add(defineTask(name, optionsOrHandler, handler));
    } else {
      throw new TypeError(`The task "${name}" has no handler. Pass a function as the last argument.`);
    }
    return this;
  }

  /**
   * Wraps the handlers of all tasks: for what they have in common, such as timing or opening a connection. The first that is
   * added is the outermost.
   * @throws TypeError when the worker already runs
   */
  use(middleware: Middleware): this {
    if (this.#started) throw new TypeError("Add middleware before run().");
    this.#middleware.push(middleware);
    return this;
  }

  /**
   * Names what is done at a word of an operator. Built in are `drain` and `undrain`, as the methods `drain` and `resume`, and
   * `update`, as `stop`: what watches over the process then starts the new version. A handler takes the place of what is built
   * in.
   * @throws TypeError when the command has a handler already
   */
  onCommand(name: string, handler: CommandHandler): this {
    this.#commands.on(name, handler);
    return this;
  }

  /**
   * Tells the orchestrators that something is loaded here from now on. Tasks called so, and those whose `skillDependencies`
   * are all loaded, come here rather than elsewhere.
   */
  addToHotCache(name: string): void {
    this.#hotCache.add(name);
  }

  removeFromHotCache(name: string): void {
    this.#hotCache.remove(name);
  }

  /** Takes nothing new until `resume`; what is here goes on. */
  drain(): void {
    this.#availability.drain();
  }

  /** Takes tasks again. */
  resume(): void {
    this.#availability.resume();
  }

  /**
   * Registers with the orchestrator, or each of several, and works until `stop`.
   * @returns a promise that resolves after a graceful stop
   * @throws RegistrationRefusedError when no orchestrator wants this worker; TypeError when there is no task, or
   *   the worker has run before; ConfigurationError in a runtime that is too old
   */
  async run({ handleSignals = true, health }: RunOptions = {}): Promise<void> {
    if (this.#started) throw new TypeError("A worker runs once. Make a new Worker to run again.");
    const { names } = this.#catalog;
    if (names.length === 0) {
      throw new TypeError('The worker has no task. Call worker.task("name", handler) before run().');
    }
    requireRecentRuntime();
    this.#started = true;
    if (this.#stopping !== undefined) return;
    void removeLeftovers(this.#configuration.payloadDir, this.#logger);
    for (const taskType of this.#limits.unused) this.#logger.warn("limit.of_no_task", { task_type: taskType });
    const links = new OrchestratorLinks({
      configuration: this.#configuration,
      availability: this.#availability,
      pool: this.#pool,
      commands: this.#commands,
      runtime: this.#runtime,
      logger: this.#logger,
    });
    this.#links = links;
    const endHealth = await this.#serveHealth(health);
    const ignoreSignals = handleSignals ? stopAtSignals(() => void this.stop(), this.#logger) : () => {};
    try {
      this.#pool.trace(await this.#runtime.taskSpans(this.#logger));
      await this.#availability.watchCapacity(this.#ended.signal);
      await links.run();
    } finally {
      this.#ended.abort();
      endHealth();
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

  /** @returns the function that ends it */
  async #serveHealth(wanted: boolean | undefined): Promise<() => void> {
    const { healthHost: host, healthPort = DEFAULT_HEALTH_PORT, workerId, maxConcurrentTasks } = this.#configuration;
    if (!(wanted ?? this.#configuration.healthPort !== undefined)) return () => {};
    const builtins = nodeBuiltins();
    if (builtins === undefined) throw new ConfigurationError("There is no health endpoint in this runtime.");
    return serveHealth(builtins, {
      host,
      port: healthPort,
      logger: this.#logger,
      health: () => ({
        workerId,
        draining: this.#stopping !== undefined,
        load: this.#pool.load,
        maxConcurrentTasks,
        orchestrators: this.#links?.presences ?? [],
      }),
    });
  }

  async #stop(): Promise<void> {
    const { shutdownTimeoutMs } = this.#configuration;
    const parts = { pool: this.#pool, shutdownTimeoutMs, logger: this.#logger };
    if (this.#links !== undefined) await stopGracefully({ links: this.#links, ...parts });
  }
}
