import { setTimeout as pause } from "node:timers/promises";
import { beforeAll, test, vi } from "vitest";
import type { ApiClient } from "../support/api-client.ts";
import { BatutaServer } from "../support/batuta-server.ts";
import { expectCountedOnce } from "../support/counted-once.ts";
import { WorkerProcess } from "../support/worker-process.ts";

const JOBS = 24;
const KILLS = 4;
/** Longest time between two kills. It is chance that finds the moments nobody thought of. */
const PAUSE_MS = 1_500;

let server: BatutaServer;
let alice: ApiClient;
beforeAll(async () => {
  const environment = { LEASE_SECONDS: "2", WORKER_HEALTH_CHECK_INTERVAL_SECONDS: "1" };
  server = await BatutaServer.start({ clients: ["alice"], environment });
  alice = server.client("alice");
});

interface Request {
  readonly endpoint: string;
  readonly input: object;
  /** Tasks the job has in all. */
  readonly tasks: number;
}

const REQUESTS: readonly Request[] = [
  { endpoint: "one-task", input: { value: 1 }, tasks: 1 },
  { endpoint: "fan-out", input: { count: 15 }, tasks: 15 },
  { endpoint: "two-rounds", input: { type: "echo", counts: [7, 9] }, tasks: 16 },
];

/** Creates a job; asks again, with the same key, while the server is away. */
function createThroughOutages({ endpoint, input }: Request): Promise<string> {
  const key = crypto.randomUUID();
  return vi.waitFor(() => alice.create(endpoint, input, key), { interval: 50, timeout: 20_000 });
}

async function createJobs(): Promise<{ id: string; tasks: number }[]> {
  const jobs = [];
  for (let number = 0; number < JOBS; number += 1) {
    const request = REQUESTS[number % REQUESTS.length];
    if (request !== undefined) jobs.push({ id: await createThroughOutages(request), tasks: request.tasks });
    await pause(Math.random() * ((KILLS * PAUSE_MS) / JOBS));
  }
  return jobs;
}

test("whatever is killed while jobs run, every one of them finishes, each of its results counted once", async () => {
  const startWorker = (number: number) =>
    new WorkerProcess(server, {
      id: `worker-${number}`,
      type: "echo",
      websockets: number > 0,
      slots: 3,
      pauseMs: 60,
    });
  const workers = [0, 1, 2].map(startWorker);
  const killAtRandom = async () => {
    for (let kill = 0; kill < KILLS; kill += 1) {
      await pause(Math.random() * PAUSE_MS);
      const victim = Math.floor(Math.random() * 2 * workers.length);
      await (workers[victim] ?? server).kill();
      if (victim < workers.length) workers[victim] = startWorker(victim);
      else await server.startAgain();
    }
  };
  const [jobs] = await Promise.all([createJobs(), killAtRandom()]);
  for (const { id, tasks } of jobs) {
    await alice.expectJob(id, { status: "finished" });
    expectCountedOnce(await alice.history(id), tasks);
  }
}, 120_000);
