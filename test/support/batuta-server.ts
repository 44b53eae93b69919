import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "toml";
import { z } from "zod";
import { ApiClient } from "./api-client.ts";
import { ProcessGroup } from "./process-group.ts";
import { temporaryFolder } from "./temporary-folder.ts";

export const REPOSITORY = join(import.meta.dirname, "..", "..");
/** One task, a fan-out and others; see there. */
const TEST_BLUEPRINTS = join(REPOSITORY, "test", "support", "blueprints.ts");

const clientsFile = z.object({ clients: z.record(z.string(), z.object({ token: z.string() })) });

export interface ServerSetup {
  /** Keeps all state; a new temporary folder when absent. */
  readonly data?: string;
  /** Module of blueprints, or null for the deployment's own; those of the tests when absent. */
  readonly blueprints?: string | null;
  /** Names of the clients; the server makes one itself when absent. */
  readonly clients?: readonly string[];
  readonly cwd?: string;
  readonly environment?: Record<string, string>;
}

/** `batuta server` as a process of its own, on a free port of this machine. */
export class BatutaServer {
  readonly data: string;
  #setup: ServerSetup;
  #process: ProcessGroup;
  #port: number;
  #printed = "";

  private constructor(data: string, setup: ServerSetup, process: ProcessGroup, port: number) {
    this.data = data;
    this.#setup = setup;
    this.#process = process;
    this.#port = port;
  }

  /** Starts a server and waits until it answers. */
  static async start(setup: ServerSetup = {}): Promise<BatutaServer> {
    const data = setup.data ?? temporaryFolder();
    if (setup.clients !== undefined) writeFileSync(join(data, "clients.toml"), clientsToml(setup.clients));
    const process = launch(data, 0, setup);
    return new BatutaServer(data, setup, process, await readyPort(process));
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** All that it has printed, before its restarts as well. */
  get output(): string {
    return this.#printed + this.#process.output;
  }

  /** The token of all workers, which the server made on its first start. */
  get workerToken(): string {
    return readFileSync(join(this.data, "worker-token"), "utf8").trim();
  }

  /** What `new Worker(…)` needs to know of this server. */
  get forWorkers(): { orchestratorUrl: string; token: string; logger: false } {
    return { orchestratorUrl: this.url, token: this.workerToken, logger: false };
  }

  /** @param name of a client in `clients.toml`; the first one when absent */
  client(name?: string): ApiClient {
    const { clients } = clientsFile.parse(parse(readFileSync(join(this.data, "clients.toml"), "utf8")));
    const token = (name === undefined ? Object.values(clients)[0] : clients[name])?.token;
    if (token === undefined) throw new Error(`There is no client ${name}.`);
    return new ApiClient(this.url, token);
  }

  /** Ends every process of the server at once, as a power cut would. */
  kill(): Promise<void> {
    return this.#process.kill("SIGKILL");
  }

  /**
   * Starts it again on the same folder and port.
   * @param environment what is to be different from now on
   */
  async startAgain(environment: Record<string, string> = {}): Promise<void> {
    this.#printed += this.#process.output;
    this.#setup = { ...this.#setup, environment: { ...this.#setup.environment, ...environment } };
    this.#process = launch(this.data, this.#port, this.#setup);
    this.#port = await readyPort(this.#process);
  }
}

function launch(
  data: string,
  port: number,
  { blueprints = TEST_BLUEPRINTS, cwd = REPOSITORY, environment = {} }: ServerSetup,
): ProcessGroup {
  const args = [join(REPOSITORY, "cli", "bin", "batuta.mjs"), "server", "--port", String(port), "--data", data];
  if (blueprints !== null) args.push("--blueprints", blueprints);
  return new ProcessGroup(args, {
    cwd,
    // As under npm: the server then ends when the process that started it is killed.
    environment: { npm_lifecycle_event: "test", ...environment },
  });
}

async function readyPort(process: ProcessGroup): Promise<number> {
  const [, port] = await process.printed(/ ready on http:\/\/127\.0\.0\.1:(\d+)/);
  return Number(port);
}

function clientsToml(names: readonly string[]): string {
  return names.map((name) => `[clients.${name}]\ntoken = "${name}-token"\n`).join("\n");
}
