import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "toml";
import { z } from "zod";

/** A system under load: creates jobs, and says when each is known to be finished. */
export interface System {
  readonly name: string;
  /** Creates a job and resolves with its id once the server has promised to run it. */
  create(): Promise<string>;
  /** Resolves when the worker's result of this job has been taken. */
  finished(job: string): Promise<void>;
  stop(): Promise<void>;
}

const WORKERS = 2;
const message = z.object({ ready: z.boolean().optional(), url: z.string().optional(), job: z.string().optional() });
const clients = z.object({ clients: z.object({ local: z.object({ token: z.string() }) }) });

function start(file: string, args: readonly string[]): ChildProcess {
  return fork(fileURLToPath(new URL(file, import.meta.url)), args, { execArgv: ["--conditions=batuta-source"] });
}

async function firstMessage(child: ChildProcess, field: "ready" | "url"): Promise<string> {
  for (;;) {
    const [said]: unknown[] = await once(child, "message");
    const value = message.parse(said)[field];
    if (value !== undefined) return String(value);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const gone = once(child, "exit");
  if (child.connected) child.disconnect();
  else child.kill();
  await gone;
}

/** Keeps who waits for which job; a job may be finished before anyone asks. */
function jobBoard(workers: readonly ChildProcess[]): (job: string) => Promise<void> {
  const done = new Set<string>();
  const waiting = new Map<string, () => void>();
  for (const worker of workers) {
    worker.on("message", (said) => {
      const { job } = message.parse(said);
      if (job === undefined) return;
      const resolve = waiting.get(job);
      if (resolve === undefined) done.add(job);
      waiting.delete(job);
      resolve?.();
    });
  }
  return (job) => (done.delete(job) ? Promise.resolve() : new Promise((resolve) => waiting.set(job, resolve)));
}

const created = z.object({ job_id: z.string() });

async function post(url: string, headers: Record<string, string>, body: object = {}): Promise<string> {
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  if (answer.status !== 202) throw new Error(`POST ${url} was answered ${answer.status}: ${await answer.text()}`);
  return created.parse(await answer.json()).job_id;
}

async function systemOf(
  name: string,
  server: ChildProcess,
  folder: string,
  workers: readonly ChildProcess[],
  create: () => Promise<string>,
): Promise<System> {
  await Promise.all(workers.map((worker) => firstMessage(worker, "ready")));
  return {
    name,
    create,
    finished: jobBoard(workers),
    async stop() {
      await Promise.all(workers.map(end));
      await end(server);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The floor: see `floor/floor-program.ts`. */
export async function startFloor(): Promise<System> {
  const folder = await mkdtemp(join(tmpdir(), "batuta-floor-"));
  const server = start("floor/floor-server.ts", [folder]);
  const url = await firstMessage(server, "url");
  const workers = Array.from({ length: WORKERS }, () => start("floor/floor-client.ts", [url]));
  return systemOf("floor", server, folder, workers, () => post(url, {}));
}

/** An embedded server in a folder of its own. */
export interface BenchServer {
  readonly url: string;
  readonly workerToken: string;
  /** Of the process that started the runtime. */
  readonly pid: number;
  /** Creates a job of one task of a type, and resolves with its id. */
  create(input: { readonly type: string }): Promise<string>;
  stop(): Promise<void>;
}

async function startEmbedded() {
  const folder = await mkdtemp(join(tmpdir(), "batuta-bench-"));
  const server = start("batuta-server.ts", [folder]);
  const url = await firstMessage(server, "url");
  const { token } = clients.parse(parse(await readFile(join(folder, "clients.toml"), "utf8"))).clients.local;
  const workerToken = (await readFile(join(folder, "worker-token"), "utf8")).trim();
  const headers = { "X-Client-Token": token, "Content-Type": "application/json" };
  return { folder, server, url, workerToken, headers };
}

export async function startServer(): Promise<BenchServer> {
  const { folder, server, url, workerToken, headers } = await startEmbedded();
  return {
    url,
    workerToken,
    pid: server.pid ?? 0,
    create: (input) => post(`${url}/api/v1/jobs/bench-type`, headers, input),
    async stop() {
      await end(server);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The embedded server with worker processes of the SDK. */
export async function startBatuta(transport: "socket" | "poll"): Promise<System> {
  const { folder, server, url, workerToken, headers } = await startEmbedded();
  const workers = Array.from({ length: WORKERS }, () => start("batuta-worker.ts", [url, workerToken, transport]));
  return systemOf(`batuta ${transport}`, server, folder, workers, () => post(`${url}/api/v1/jobs/bench`, headers));
}
