import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test, vi } from "vitest";
import { z } from "zod";
import type { ApiClient, HistoryRow } from "../support/api-client.ts";
import { BatutaServer, REPOSITORY } from "../support/batuta-server.ts";
import { findRemains } from "../support/chaos-remains.ts";
import { expectCountedOnce, losses } from "../support/counted-once.ts";
import { ProcessGroup } from "../support/process-group.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const { CHAOS_SEED, CHAOS_WORKERS, CHAOS_TASKS } = z
  .object({
    /** A run says its seed. With it, the same workers die after the same number of tasks; which tasks these are depends on the machine. */
    CHAOS_SEED: z.coerce.number().default(() => Math.floor(Math.random() * 2 ** 32)),
    CHAOS_WORKERS: z.coerce.number().int().min(3).default(50),
    CHAOS_TASKS: z.coerce.number().int().min(200).default(2_000),
  })
  .parse(process.env);

const KILLED = Math.floor(CHAOS_WORKERS / 3);
/** Tasks of one fan-out; seven of ten tasks are in one, the others are jobs of their own. */
const FAN_OUT = 100;
const FAN_OUTS = Math.floor((CHAOS_TASKS * 0.7) / FAN_OUT);
/** Longest time a task takes. */
const WORK_MS = 250;
/** Requests of the client at once. */
const AT_ONCE = 16;

const random = new SeededRandom(CHAOS_SEED);
const effects = temporaryFolder();
let server: BatutaServer;
let client: ApiClient;
beforeAll(async () => {
  server = await BatutaServer.start({
    blueprints: join(REPOSITORY, "test", "support", "chaos-fleet-blueprints.ts"),
    environment: { LEASE_SECONDS: "3", WORKER_HEALTH_CHECK_INTERVAL_SECONDS: "3" },
  });
  client = server.client();
});

const report = z.object({ began: z.string() });

/** A worker of the SDK as a process of its own: two of three on sockets, the others on long polls. */
function startWorker(number: number, onTask: (taskId: string) => void): ProcessGroup {
  const worker = new ProcessGroup(
    ["--conditions=batuta-source", join(REPOSITORY, "test", "support", "chaos-fleet-worker.ts")],
    {
      environment: {
        WORKER_ID: `fleet-${number}`,
        WORKER_ENABLE_WEBSOCKETS: String(number % 3 !== 0),
        WORKER_TOKEN: server.workerToken,
        ORCHESTRATOR_URL: server.url,
        MAX_CONCURRENT_TASKS: "2",
        HEARTBEAT_INTERVAL: "1",
        TASK_POLL_TIMEOUT: "5",
        EFFECTS: effects,
        WORK_MS: String(WORK_MS),
      },
    },
  );
  worker.onMessage((message) => onTask(report.parse(message).began));
  return worker;
}

/** Runs `work` for each item, some at once. */
async function each<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const left = items.entries();
  const lane = async () => {
    for (const [at, item] of left) results[at] = await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return results;
}

interface Planned {
  readonly endpoint: "one" | "many";
  readonly input: object;
  readonly numbers: readonly number[];
}

/** Every task has a number of its own; jobs come in an order of chance. */
function plan(): Planned[] {
  const many = Array.from({ length: FAN_OUTS }, (_, n): Planned => {
    const first = n * FAN_OUT;
    const numbers = Array.from({ length: FAN_OUT }, (_number, at) => first + at);
    return { endpoint: "many", input: { first, count: FAN_OUT }, numbers };
  });
  const one = Array.from({ length: CHAOS_TASKS - FAN_OUTS * FAN_OUT }, (_, n): Planned => {
    const number = FAN_OUTS * FAN_OUT + n;
    return { endpoint: "one", input: { number }, numbers: [number] };
  });
  const order = [...many, ...one].map((job) => ({ job, at: random.next() }));
  return order.toSorted((a, b) => a.at - b.at).map(({ job }) => job);
}

const listed = z.array(z.looseObject({ worker_id: z.string(), connected: z.boolean(), held_tasks: z.number() }));

async function fleet(): Promise<z.infer<typeof listed>> {
  return listed.parse((await client.call("GET", "/workers")).body);
}

test("a third of a fleet is killed while it works: every job finishes, each result counted once, nothing left behind", async () => {
  console.log(`CHAOS_SEED=${CHAOS_SEED} CHAOS_WORKERS=${CHAOS_WORKERS} CHAOS_TASKS=${CHAOS_TASKS}`);
  /** After how many tasks begun, in all, a worker dies. */
  const deaths = Array.from({ length: KILLED }, () => random.whole(1, Math.floor(CHAOS_TASKS * 0.9))).toSorted(
    (a, b) => a - b,
  );
  const runs: string[] = [];
  const killed: Promise<void>[] = [];
  const alive: ProcessGroup[] = [];
  const onTask = (taskId: string) => {
    runs.push(taskId);
    while (killed.length < deaths.length && runs.length >= (deaths[killed.length] ?? Infinity)) {
      const [victim] = alive.splice(random.whole(0, alive.length - 1), 1);
      if (victim !== undefined) killed.push(victim.kill("SIGKILL"));
    }
  };
  for (let number = 0; number < CHAOS_WORKERS; number += 1) alive.push(startWorker(number, onTask));
  await vi.waitFor(async () => expect(await fleet()).toHaveLength(CHAOS_WORKERS), { interval: 200, timeout: 60_000 });

  const jobs = await each(plan(), async (job) => ({ ...job, id: await client.create(job.endpoint, job.input) }));
  const histories = await each(jobs, async ({ id, numbers }) => {
    const sum = numbers.reduce((total, number) => total + number, 0);
    await client.expectJob(id, { status: "finished", result: { sum, results: numbers.length } }, 90_000);
    const history = await client.history(id);
    expectCountedOnce(history, numbers.length);
    return history;
  });

  await Promise.all(killed);
  expect(killed).toHaveLength(KILLED);
  const lost = histories.flatMap((history: HistoryRow[]) => losses(history));
  console.log(`${KILLED} workers killed, ${lost.length} attempts lost, ${runs.length} runs of ${CHAOS_TASKS} tasks.`);
  expect(lost.length, "what was killed had work").toBeGreaterThan(0);
  const told = readdirSync(effects).map((task) => Number(readFileSync(join(effects, task), "utf8")));
  expect(told.toSorted((a, b) => a - b)).toEqual(Array.from({ length: CHAOS_TASKS }, (_, number) => number));
  expect(new Set(runs).size).toBe(CHAOS_TASKS);

  const held = async () => (await fleet()).reduce((sum, worker) => sum + worker.held_tasks, 0);
  await vi.waitFor(async () => expect(await held()).toBe(0), { interval: 100, timeout: 10_000 });
  await Promise.all(alive.map((worker) => worker.kill("SIGKILL")));
  await server.kill();
  expect(findRemains(server.data)).toEqual([]);
}, 240_000);
