import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "toml";
import { z } from "zod";
import { ExampleError } from "./example-error.ts";
import { ManagedProcess } from "./managed-process.ts";

/** Longest time a server may take from its start to its ready line; it builds the bundle first. */
const READY_TIMEOUT_MS = 90_000;

/** A worker that is killed shows within this time: its tasks are then offered to the others. Default of the server: 60 s. */
const LEASE_SECONDS = "20";

/** Settings of the caller's own deployment that would lead an example's server elsewhere; empty counts as not set. */
const FOREIGN_SETTINGS = [
  "API_HOST",
  "API_PORT",
  "BATUTA_DATA",
  "CLIENTS_CONFIG_PATH",
  "WORKERS_CONFIG_PATH",
  "BLUEPRINTS_PATH",
  "GLOBAL_WORKER_TOKEN",
];

export interface ServerProcess {
  readonly process: ManagedProcess;
  readonly url: string;
  readonly port: number;
  readonly clientToken: string;
  readonly workerToken: string;
}

export interface ServerSettings {
  readonly project: string;
  readonly data: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly logFile: string;
  /** Module of the blueprints; the deployment's own when absent. */
  readonly blueprints?: string;
}

/**
 * Starts `batuta server` as a process of its own and waits until it answers.
 * @throws {ExampleError} with the server's last words when it does not start
 * @throws the reason of `signal` when that is aborted meanwhile
 */
export async function startServerProcess(settings: ServerSettings, signal: AbortSignal): Promise<ServerProcess> {
  const { project, data, port, logFile, blueprints } = settings;
  const ready = Promise.withResolvers<string>();
  let printed = "";
  const server = await ManagedProcess.start({
    name: "server",
    args: [
      "--conditions=batuta-source",
      join("cli", "src", "main.ts"),
      "server",
      "--host",
      "127.0.0.1",
      "--port",
      String(port),
      "--data",
      data,
      ...(blueprints === undefined ? [] : ["--blueprints", blueprints]),
    ],
    cwd: project,
    env: { LEASE_SECONDS, ...Object.fromEntries(FOREIGN_SETTINGS.map((name) => [name, ""])) },
    logFile,
    onOutput(text) {
      printed += text;
      const url = / ready on (http:\S+)/.exec(printed)?.[1];
      if (url !== undefined) ready.resolve(url);
    },
  });
  const failToStart = async (): Promise<void> => {
    const ending = await server.ended;
    ready.reject(new ExampleError(`The server did not start (${ending}).\n${await server.lastWords()}`));
  };
  void failToStart();
  const patience = setTimeout(
    () => ready.reject(new ExampleError(`The server is not ready after ${READY_TIMEOUT_MS / 1000} s. See ${logFile}`)),
    READY_TIMEOUT_MS,
  );
  const interrupted = (): void => ready.reject(signal.reason);
  signal.addEventListener("abort", interrupted);
  try {
    signal.throwIfAborted();
    const url = await ready.promise;
    return { process: server, url, port: Number(new URL(url).port), ...(await readTokens(data)) };
  } catch (error) {
    await server.stop();
    throw error;
  } finally {
    clearTimeout(patience);
    signal.removeEventListener("abort", interrupted);
  }
}

const clientsFile = z.object({ clients: z.record(z.string(), z.object({ token: z.string() })) });

/** The server makes its credentials on the first start and keeps them in its data folder. */
async function readTokens(data: string): Promise<Pick<ServerProcess, "clientToken" | "workerToken">> {
  const { clients } = clientsFile.parse(parse(await readFile(join(data, "clients.toml"), "utf8")));
  const [client] = Object.values(clients);
  if (client === undefined) throw new ExampleError(`${join(data, "clients.toml")} names no client.`);
  const workerToken = await readFile(join(data, "worker-token"), "utf8");
  return { clientToken: client.token, workerToken: workerToken.trim() };
}
