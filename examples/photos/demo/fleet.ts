import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { ExampleError } from "../../shared/example-error.ts";
import { type Ending, ManagedProcess } from "../../shared/managed-process.ts";
import { type ServerProcess, startServerProcess } from "../../shared/server-process.ts";
import type { DemoOptions } from "./arguments.ts";

/** Someone who kills the server to see what happens may also want to start it again by hand; this is their time for it. */
const HANDS_OFF_MS = 3_000;

const WORKER_SETTINGS = {
  // The caller's own worker may have its token in the environment.
  WORKER_INDIVIDUAL_TOKEN: "",
  WORKER_SHUTDOWN_TIMEOUT: "3",
  // With more arenas glibc keeps the memory of each decoded picture for later; with two it stays level. Others ignore it.
  MALLOC_ARENA_MAX: "2",
};

export interface FleetOptions extends DemoOptions {
  readonly project: string;
  /** Folder of what the processes print; begun anew by each demo. */
  readonly logs: string;
}

/**
 * The server and the workers of the demo. A server that dies is started again on the same folder and port. A worker that
 * dies is missed by nobody as long as there is another.
 */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #say: (line: string) => void;
  readonly #giveUp: (reason: unknown) => void;
  readonly #stopping = new AbortController();
  readonly #workers = new Set<ManagedProcess>();
  #server: ServerProcess;
  #workersStarted = 0;

  private constructor(
    options: FleetOptions,
    server: ServerProcess,
    say: (line: string) => void,
    giveUp: (reason: unknown) => void,
  ) {
    this.#options = options;
    this.#server = server;
    this.#say = say;
    this.#giveUp = giveUp;
  }

  /**
   * @param say prints a line
   * @param demo aborted when the demo is to end; the fleet aborts it itself, with the reason, when it cannot go on
   * @throws {ExampleError} when the server does not start
   */
  static async start(options: FleetOptions, say: (line: string) => void, demo: AbortController): Promise<Fleet> {
    await rm(options.logs, { recursive: true, force: true });
    const server = await startServerProcess(serverSettings(options, options.port), demo.signal);
    const fleet = new Fleet(options, server, say, (reason) => demo.abort(reason));
    fleet.#watchServer(server.process);
    try {
      for (let count = 0; count < options.workers; count += 1) await fleet.#startWorker();
      return fleet;
    } catch (error) {
      await fleet.stop();
      throw error;
    }
  }

  get url(): string {
    return this.#server.url;
  }

  get clientToken(): string {
    return this.#server.clientToken;
  }

  /** Process ids by name, for those who want to see what a kill does. */
  get processes(): { name: string; pid: number | undefined }[] {
    return [this.#server.process, ...this.#workers].map(({ name, pid }) => ({ name, pid }));
  }

  /** Ends all processes; workers first, so that they do not miss their server. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([...this.#workers].map((worker) => worker.stop()));
    await this.#server.process.stop();
  }

  async #startWorker(): Promise<void> {
    const { project, logs } = this.#options;
    this.#workersStarted += 1;
    const name = `worker-${this.#workersStarted}`;
    const worker = await ManagedProcess.start({
      name,
      args: ["--conditions=batuta-source", join("examples", "photos", "worker.ts")],
      cwd: project,
      env: { ...WORKER_SETTINGS, ORCHESTRATOR_URL: this.url, WORKER_TOKEN: this.#server.workerToken, WORKER_ID: name },
      logFile: join(logs, `${name}.log`),
    });
    this.#workers.add(worker);
    void worker.ended.then((ending) => this.#onWorkerEnded(worker, ending)).catch(this.#giveUp);
  }

  async #onWorkerEnded(worker: ManagedProcess, ending: Ending): Promise<void> {
    this.#workers.delete(worker);
    if (this.#stopping.signal.aborted) return;
    if (this.#workers.size > 0) {
      this.#say(`! ${worker.name} has ended (${ending}). What it held goes to the others when its lease ends.`);
      return;
    }
    // A worker that ends by itself would do so again.
    if (!ending.startsWith("signal")) {
      throw new ExampleError(`No worker is left: ${worker.name} has ended (${ending}).\n${await worker.lastWords()}`);
    }
    this.#say(`! ${worker.name} has ended (${ending}). It was the last one: starting another.`);
    await this.#startWorker();
  }

  #watchServer(server: ManagedProcess): void {
    void server.ended.then((ending) => this.#onServerEnded(ending)).catch(this.#giveUp);
  }

  async #onServerEnded(ending: Ending): Promise<void> {
    const { signal } = this.#stopping;
    if (signal.aborted) return;
    this.#say(
      `! The server has ended (${ending}). It is started again on the same folder in ${HANDS_OFF_MS / 1000} s, unless you do.`,
    );
    try {
      await pause(HANDS_OFF_MS, undefined, { signal });
      if (await answers(this.url)) return this.#say("! Someone else has started the server again; the job goes on.");
      await this.#restartServer(signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #restartServer(signal: AbortSignal): Promise<void> {
    try {
      this.#server = await startServerProcess(serverSettings(this.#options, this.#server.port), signal);
      this.#watchServer(this.#server.process);
      this.#say("! The server is back; the job goes on.");
    } catch (error) {
      // The folder is taken when someone else was quicker, and their server takes a moment to answer.
      await pause(HANDS_OFF_MS, undefined, { signal });
      if (!(await answers(this.url))) throw error;
      this.#say("! Someone else has started the server again; the job goes on.");
    }
  }
}

function serverSettings({ project, data, logs }: FleetOptions, port: number) {
  return { project, data, port, logFile: join(logs, "server.log") };
}

async function answers(url: string): Promise<boolean> {
  const response = await fetch(`${url}/_public/status`, { signal: AbortSignal.timeout(2_000) }).catch(() => null);
  await response?.body?.cancel();
  return response?.ok ?? false;
}
