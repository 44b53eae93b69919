import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type AbortCause,
  type LogFields,
  type TaskContext,
  TaskAbortedError,
  Worker,
  type WorkerOptions,
} from "@batuta/worker";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import type { ApiClient } from "../support/api-client.ts";
import { BatutaServer } from "../support/batuta-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

let server: BatutaServer;
let alice: ApiClient;
beforeAll(async () => {
  const data = temporaryFolder();
  const operator = '[clients.operator]\ntoken = "operator-token"\nadmin = true\n';
  writeFileSync(join(data, "clients.toml"), `[clients.alice]\ntoken = "alice-token"\n${operator}`);
  server = await BatutaServer.start({ data, environment: { JOB_MAX_RETRIES: "0" } });
  alice = server.client("alice");
});

const stopping: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stopping.splice(0).map((stop) => stop()));
});

/** Runs a worker until the test has ended. @returns the worker, and the names of what it has logged */
function run(options: WorkerOptions, addTasks: (worker: Worker) => void) {
  const logged: string[] = [];
  const note = (event: string, _fields?: LogFields) => void logged.push(event);
  const logger = { debug: note, info: note, warn: note, error: note };
  const worker = new Worker({ ...server.forWorkers, taskPollTimeout: 2, shutdownTimeout: 1, ...options, logger });
  addTasks(worker);
  const running = worker.run({ handleSignals: false });
  stopping.push(async () => {
    await worker.stop();
    await running;
  });
  return { worker, logged };
}

const workerList = z.array(z.looseObject({ worker_id: z.string() }));

async function shownOf(workerId: string) {
  const { body } = await alice.call("GET", "/workers");
  return workerList.parse(body).find((shown) => shown.worker_id === workerId);
}

function expectShown(workerId: string) {
  return expect.poll(() => shownOf(workerId), { interval: 50, timeout: 10_000 });
}

const TRANSPORTS = [
  ["a socket", "socket", true],
  ["long polls", "poll", false],
] as const;

describe.each(TRANSPORTS)("workers on %s", (_, kind, websockets) => {
  test("get the tasks that they are warm for", async () => {
    const type = `paint_${kind}`;
    const done: string[] = [];
    const workers = ["cold", "warm", "cold_too"].map((name) =>
      run({ workerId: `${name}-${kind}`, websockets, skillDependencies: { [type]: ["sdxl"] } }, (worker) =>
        worker.task(type, () => void done.push(worker.workerId)),
      ),
    );
    const [, warm] = workers;
    warm?.worker.addToHotCache("sdxl");
    await expectShown(`warm-${kind}`).toMatchObject({ hot_cache: ["sdxl"], hot_skills: [type] });
    for (const name of ["cold", "cold_too"]) await expectShown(`${name}-${kind}`).toMatchObject({ hot_skills: [] });
    for (let n = 0; n < 3; n++) {
      await alice.expectJob(await alice.create("one-task", { type }), { status: "finished" });
    }
    expect(done).toEqual([`warm-${kind}`, `warm-${kind}`, `warm-${kind}`]);
  });

  test("never get more of a type than they take at once, and no task waits at a full one", async () => {
    const [render, train, sort] = [`render_${kind}`, `train_${kind}`, `sort_${kind}`];
    const most = new Map<string, number>();
    const workers = ["one", "two"].map((name) =>
      run({ workerId: `${name}-${kind}`, websockets, taskTypeLimits: { gpu: 1 } }, (worker) => {
        let now = 0;
        const onGpu = async (): Promise<void> => {
          now += 1;
          most.set(name, Math.max(most.get(name) ?? 0, now));
          await new Promise((resolve) => setTimeout(resolve, 20));
          now -= 1;
        };
        worker
          .task(render, { taskType: "gpu" }, onGpu)
          .task(train, { taskType: "gpu" }, onGpu)
          .task(sort, () => {});
      }),
    );
    for (const { worker } of workers)
      await expectShown(worker.workerId).toMatchObject({ slots: websockets ? expect.any(Number) : null });
    const jobs = await Promise.all([
      alice.create("fan-out", { type: render, count: 10 }),
      alice.create("fan-out", { type: train, count: 10 }),
      alice.create("fan-out", { type: sort, count: 10 }),
    ]);
    for (const id of jobs) await alice.expectJob(id, { status: "finished" });
    expect([...most]).toEqual(
      expect.arrayContaining([
        ["one", 1],
        ["two", 1],
      ]),
    );
    for (const { logged } of workers) expect(logged).not.toContain("task.waits_for_room");
  });

  test("move a job on by an event, and write to its log", async () => {
    const type = `stream_${kind}`;
    const ended = Promise.withResolvers<unknown[]>();
    run({ workerId: `streams-${kind}`, websockets }, (worker) =>
      worker.task(type, async ({ sendEvent, log }) => {
        log.info("opening", { url: "rtmp://x" });
        const refused = await sendEvent("progress", { progress: 7 });
        const taken = await sendEvent("stream_started", { url: "rtmp://x" }, { eventId: "started" });
        const again = await sendEvent("stream_started", { url: "rtmp://y" }, { eventId: "started" });
        ended.resolve([refused.accepted, taken.accepted, again.accepted]);
      }),
    );
    const id = await alice.create("eventful", { type });
    await alice.expectJob(id, { status: "finished", current_state: "begun", result: "rtmp://x" });
    expect(await ended.promise).toEqual([false, true, true]);
  });

  test("write lines that people read with the job", async () => {
    const type = `talk_${kind}`;
    run({ workerId: `talks-${kind}`, websockets }, (worker) =>
      worker.task(type, ({ log }) => {
        log.info("began", { file: "a.png" });
        log.warn("large");
      }),
    );
    const id = await alice.create("one-task", { type });
    await alice.expectJob(id, { status: "finished" });
    const lines = async () => (await alice.call("GET", `/jobs/${id}/logs`)).body;
    await expect.poll(lines, { interval: 100, timeout: 10_000 }).toMatchObject([
      { level: "info", message: "began", fields: { file: "a.png" } },
      { level: "warn", message: "large" },
    ]);
  });

  test("are told when a task is no longer wanted", async () => {
    const type = `endless_${kind}`;
    const causes = new Map<string, AbortCause>();
    const started = new Map<string, PromiseWithResolvers<void>>();
    const beginning = (job: string) => {
      const known = started.get(job) ?? Promise.withResolvers<void>();
      started.set(job, known);
      return known;
    };
    const endless = ({ jobId, signal }: TaskContext) => {
      beginning(jobId).resolve();
      return new Promise<void>((resolve) => {
        signal.addEventListener("abort", () => {
          if (signal.reason instanceof TaskAbortedError) causes.set(jobId, signal.reason.abortCause);
          resolve();
        });
      });
    };
    run({ workerId: `endless-${kind}`, websockets, heartbeatInterval: websockets ? 15 : 0.5 }, (worker) =>
      worker.task(type, endless),
    );
    const cancelled = await alice.create("one-task", { type });
    await beginning(cancelled).promise;
    await alice.call("POST", `/jobs/${cancelled}/cancel`);
    await alice.expectJob(cancelled, { status: "cancelled" });
    await expect.poll(() => causes.get(cancelled), { timeout: 10_000 }).toBe("cancelled");
    const late = await alice.create("one-task", { type, seconds: 1 });
    await alice.expectJob(late, { status: "failed" });
    await expect.poll(() => causes.get(late), { timeout: 10_000 }).toMatch(/^(cancelled|deadline)$/);
  });
});

test("a worker does what operators say", async () => {
  const taken: unknown[] = [];
  const worker = new Worker({ ...server.forWorkers, workerId: "obedient", spoolDir: false });
  worker.task("obey", () => {}).onCommand("purge", (command) => void taken.push(command));
  const running = worker.run({ handleSignals: false });
  const operator = server.client("operator");
  const say = (command: string, params: object) => () =>
    operator.call("POST", "/admin/workers/obedient/commands", { json: { command, params } });
  await expect.poll(say("purge", { keep: 2 }), { interval: 50, timeout: 10_000 }).toMatchObject({ status: 202 });
  await expect.poll(() => taken, { timeout: 10_000 }).toEqual([{ name: "purge", params: { keep: 2 } }]);
  expect(await say("update", { version: "2" })()).toMatchObject({ status: 202 });
  await running;
  await expectShown("obedient").toMatchObject({ connected: false });
});

test("a task ends at its deadline even where its orchestrator is away", async () => {
  const own = await BatutaServer.start({ clients: ["alice"] });
  const cause = Promise.withResolvers<unknown>();
  const began = Promise.withResolvers<Date | undefined>();
  const worker = new Worker({ ...own.forWorkers, workerId: "alone", spoolDir: false, shutdownTimeout: 1 });
  worker.task("slow", ({ signal, deadline }) => {
    began.resolve(deadline);
    return new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => {
        cause.resolve(signal.reason);
        resolve();
      });
    });
  });
  const running = worker.run({ handleSignals: false });
  await own.client("alice").create("one-task", { type: "slow", seconds: 2 });
  const deadline = await began.promise;
  await own.kill();
  expect(await cause.promise).toMatchObject({ abortCause: "deadline" });
  expect(Date.now()).toBeGreaterThanOrEqual(deadline?.getTime() ?? Infinity);
  void worker.stop();
  await running;
});
