import type { LinkParts } from "./link-parts.ts";
import { LongPollTransport } from "./long-poll.ts";
import { HttpClient } from "./http-client.ts";
import { Registration } from "./registration.ts";
import { SocketTransport } from "./socket-transport.ts";
import type { Transport } from "./transport.ts";
import type { Configuration } from "./configuration.ts";
import type { Logger } from "./logger.ts";
import type { Runtime } from "./runtime.ts";
import type { TaskPool } from "./task-pool.ts";

/** All of a worker's dealings with one orchestrator: registration, then a transport. */
export class OrchestratorLink {
  readonly #registration: Registration;
  readonly #transport: Transport;
  readonly #draining = new AbortController();

  constructor(
    configuration: Configuration,
    supportedTasks: readonly string[],
    pool: TaskPool,
    runtime: Runtime,
    logger: Logger,
  ) {
    const { orchestratorUrl, workerId, token, websockets } = configuration;
    const { openSocket, random } = runtime;
    const http = new HttpClient(orchestratorUrl, workerId, token, (url, init) => runtime.fetch(url, init));
    this.#registration = new Registration({ configuration, supportedTasks, http, random, logger });
    const registration = this.#registration;
    const parts: LinkParts = { configuration, supportedTasks, http, registration, pool, openSocket, random, logger };
    this.#transport = websockets ? new SocketTransport(parts) : new LongPollTransport(parts);
  }

  /**
   * Registers, then takes tasks until `close`.
   * @throws RegistrationRefusedError when the orchestrator does not want this worker
   */
  async run(): Promise<void> {
    await this.#registration.establish(this.#draining.signal);
    if (!this.#draining.signal.aborted) await this.#transport.run();
  }

  /** Takes nothing new from here on; an unfinished registration is given up. */
  drain(): void {
    this.#draining.abort();
    this.#transport.drain();
  }

  /** Resolves when every result has been handed over or given up. */
  settled(): Promise<void> {
    return this.#transport.settled();
  }

  close(): void {
    this.#transport.close();
  }
}
