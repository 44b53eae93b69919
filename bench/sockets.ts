// `npm run bench -- sockets`: a fleet that waits on sockets, on one machine's embedded server: what it costs, and how soon it has a task.
import { cpus } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { TaskPayload } from "@batuta/worker/protocol";
import { IdleWorker } from "./idle-worker.ts";
import { median, quantile } from "./load.ts";
import { descriptorsOf, findDescendant, usageOf } from "./process-info.ts";
import { startServer } from "./systems.ts";

const { values } = parseArgs({
  options: {
    sockets: { type: "string", default: "8000" },
    tasks: { type: "string", default: "50" },
    idle: { type: "string", default: "10" },
  },
});
const SOCKETS = Number(values.sockets);
const TASKS = Number(values.tasks);
const IDLE_SECONDS = Number(values.idle);
/** Workers that connect at once. */
const AT_ONCE = 32;
/** Of these types, one worker takes the first, and all of them the second. */
const RARE = "rare";
const COMMON = "common";

const server = await startServer();
const runtime = findDescendant(server.pid, "workerd");
/** Called with each task that a worker gets: one job runs at a time. */
let onFirst = (_job: string): void => {};

function onTask(task: TaskPayload, worker: IdleWorker): void {
  onFirst(task.job_id);
  worker.finish(task);
}

/** Runs `work` for 0 up to `count`, some at once. */
async function all(count: number, work: (number: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, count) }, lane));
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
}

/** @returns ms from the create request to the task in the hands of a worker, sorted */
async function timesToFirstTask(type: string): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < TASKS; n += 1) {
    const first = new Promise<string>((resolve) => {
      onFirst = resolve;
    });
    const begin = performance.now();
    const [job, came] = await Promise.all([
      server.create({ type }),
      first.then((of) => ({ of, ms: performance.now() - begin })),
    ]);
    if (came.of !== job) throw new Error(`A task of job ${came.of} came, and not of ${job}.`);
    times.push(came.ms);
    // The result is on its way; a task that meets a busy worker would measure something else.
    await pause(50);
  }
  return times.toSorted((a, b) => a - b);
}

function report(name: string, value: string): void {
  console.log(`${name.padEnd(46)} ${value}`);
}

const mega = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;

try {
  console.log(`${SOCKETS} idle sockets. ${cpus().length} × ${cpus()[0]?.model ?? "unknown"}, Node ${process.version}.`);
  const before = usageOf(runtime);
  const { most } = descriptorsOf(runtime);
  if (most < 2 * SOCKETS + 500) {
    throw new Error(
      `Each socket takes two descriptors of the server, which may have ${most}: raise the limit (ulimit -n) or take fewer --sockets.`,
    );
  }
  const workers = Array.from(
    { length: SOCKETS },
    (_, n) => new IdleWorker(server, `idle-${n}`, n === SOCKETS - 1 ? [COMMON, RARE] : [COMMON], onTask),
  );
  const connecting = await seconds(() => all(SOCKETS, (n) => workers[n]?.start() ?? Promise.resolve()));
  report(
    "registered, connected and welcomed",
    `${connecting.toFixed(1)} s, ${(SOCKETS / connecting).toFixed(0)} a second`,
  );
  await pause(5_000);
  const connected = usageOf(runtime);
  const grown = connected.memory - before.memory;
  report("memory of the runtime before", mega(before.memory));
  report("memory with all sockets", `${mega(connected.memory)}, ${(grown / SOCKETS / 1000).toFixed(0)} kB a socket`);
  report("descriptors of the runtime", String(descriptorsOf(runtime).open));

  const start = usageOf(runtime).processorMs;
  await pause(IDLE_SECONDS * 1000);
  const idle = usageOf(runtime).processorMs - start;
  report("processor while nothing happens", `${((idle / (IDLE_SECONDS * 1000)) * 100).toFixed(2)} % of one core`);
  const pinging = await seconds(() => Promise.all(workers.map((worker) => worker.ping())));
  report("a ping and a pong of each", `${pinging.toFixed(2)} s`);

  for (const [name, type] of [
    ["a task that one of them takes", RARE],
    ["a task that all of them take", COMMON],
  ] as const) {
    const times = await timesToFirstTask(type);
    report(
      `${name}: dispatch to worker`,
      `median ${median(times).toFixed(1)} ms, p99 ${quantile(times, 0.99).toFixed(1)} ms`,
    );
  }
  report("memory at the end", mega(usageOf(runtime).memory));
} finally {
  await server.stop();
}
