import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ExampleError } from "../shared/example-error.ts";
import { JobClient } from "../shared/job-client.ts";
import { ManagedProcess } from "../shared/managed-process.ts";
import { type ServerProcess, startServerProcess } from "../shared/server-process.ts";

const PROJECT = join(import.meta.dirname, "..", "..");

/** A server and a worker in a temporary folder, for as long as the examples run. */
export class Stage {
  readonly client: JobClient;
  readonly #folder: string;
  readonly #show: AbortController;
  /** Processes that we end ourselves. */
  readonly #leaving = new Set<ManagedProcess>();
  #server: ServerProcess;
  #worker: ManagedProcess | null = null;

  private constructor(folder: string, server: ServerProcess, show: AbortController) {
    this.#folder = folder;
    this.#server = server;
    this.#show = show;
    this.client = new JobClient(server.url, server.clientToken);
    this.#watch(server.process);
  }

  /**
   * @param show aborted when the examples are to end; the stage aborts it itself, with the reason, when it cannot go on
   * @throws {ExampleError} when the server does not start
   */
  static async open(show: AbortController): Promise<Stage> {
    const folder = await mkdtemp(join(tmpdir(), "batuta-example-"));
    const stage = new Stage(folder, await startServer(folder, 0, show.signal), show);
    try {
      await stage.#startWorker();
      return stage;
    } catch (error) {
      await stage.close({ keepLogs: true });
      throw error;
    }
  }

  /** Folder of what the processes print. */
  get logs(): string {
    return logsIn(this.#folder);
  }

  /**
   * Stops the server and starts it on the same data, as a deployment would.
   * @param blueprints their module, from the project's folder; the shipped ones when absent
   */
  async deploy(blueprints?: string): Promise<void> {
    const { process, port } = this.#server;
    await this.#end(process);
    this.#server = await startServer(this.#folder, port, this.#show.signal, blueprints);
    this.#watch(this.#server.process);
  }

  /** Ends the processes, the worker first, so that it does not miss its server, and removes the folder. */
  async close({ keepLogs }: { readonly keepLogs: boolean }): Promise<void> {
    if (this.#worker !== null) await this.#end(this.#worker);
    await this.#end(this.#server.process);
    if (!keepLogs) await rm(this.#folder, { recursive: true, force: true });
  }

  async #startWorker(): Promise<void> {
    this.#worker = await ManagedProcess.start({
      name: "worker",
      args: [
        "--conditions=batuta-source",
        join("cli", "src", "main.ts"),
        "worker",
        join("examples", "features", "worker.ts"),
      ],
      cwd: PROJECT,
      env: {
        ORCHESTRATOR_URL: this.#server.url,
        WORKER_TOKEN: this.#server.workerToken,
        // The caller's own worker may have its token in the environment.
        WORKER_INDIVIDUAL_TOKEN: "",
        WORKER_ID: "worker-1",
        WORKER_SHUTDOWN_TIMEOUT: "1",
      },
      logFile: join(this.logs, "worker.log"),
    });
    this.#watch(this.#worker);
  }

  #end(process: ManagedProcess): Promise<void> {
    this.#leaving.add(process);
    return process.stop();
  }

  #watch(process: ManagedProcess): void {
    const giveUp = async (): Promise<void> => {
      const ending = await process.ended;
      if (this.#leaving.has(process)) return;
      const words = await process.lastWords();
      this.#show.abort(new ExampleError(`The ${process.name} has ended (${ending}).\n${words}`));
    };
    void giveUp();
  }
}

function logsIn(folder: string): string {
  return join(folder, "logs");
}

function startServer(folder: string, port: number, signal: AbortSignal, blueprints?: string): Promise<ServerProcess> {
  const logFile = join(logsIn(folder), "server.log");
  const data = join(folder, "data");
  return startServerProcess(
    { project: PROJECT, data, port, logFile, ...(blueprints === undefined ? {} : { blueprints }) },
    signal,
  );
}
