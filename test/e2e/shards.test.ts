import { type TaskContext, Worker } from "@batuta/worker";
import { taskPayload } from "@batuta/worker/protocol";
import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import { call, type ApiClient } from "../support/api-client.ts";
import { BatutaServer } from "../support/batuta-server.ts";
import { expectCountedOnce } from "../support/counted-once.ts";

let server: BatutaServer;
let alice: ApiClient;
const stopWorkers: (() => Promise<void>)[] = [];

async function startServer(environment: Record<string, string>): Promise<void> {
  server = await BatutaServer.start({ clients: ["alice"], environment });
  alice = server.client("alice");
}

afterEach(async () => {
  await Promise.all(stopWorkers.splice(0).map((stop) => stop()));
  await server.kill();
});

function startWorker(
  id: string,
  region: string,
  handler: (context: TaskContext) => object | Promise<object>,
  websockets = true,
): void {
  const settings = { websockets, heartbeatInterval: 0.5, taskPollTimeout: 5, resultRetryInitialDelay: 0.5 };
  const named = { ...server.forWorkers, ...settings, workerId: id, region, maxConcurrentTasks: 1, shutdownTimeout: 0 };
  const worker = new Worker(named, { random: () => 0 }).task("echo", handler);
  const running = worker.run({ handleSignals: false });
  stopWorkers.push(async () => {
    await worker.stop();
    await running;
  });
}

const listed = z.array(z.object({ worker_id: z.string(), shard: z.string() }));

/** Which shard each worker is in. */
async function homes(): Promise<Map<string, string>> {
  const workers = listed.parse((await alice.call("GET", "/workers")).body);
  return new Map(workers.map(({ worker_id: id, shard }) => [id, shard]));
}

test("a task goes to a worker of its region, and elsewhere when it has waited", async () => {
  await startServer({ SHARDS: "weur=2, enam=1", SPILL_AFTER_SECONDS: "1" });
  const release = Promise.withResolvers<void>();
  startWorker("near", "weur", async ({ params }) => {
    if (params.value === "long") await release.promise;
    return { by: "near" };
  });
  startWorker("far", "enam", () => ({ by: "far" }));
  await expect.poll(async () => (await homes()).size, { timeout: 10_000 }).toBe(2);
  expect((await homes()).get("far")).toBe("enam-0");
  expect((await homes()).get("near")).toMatch(/^weur-[01]$/);

  for (const [region, by] of [
    ["weur", "near"],
    ["enam", "far"],
    ["eeur", "near"],
  ]) {
    const id = await alice.create("one-task", { region });
    await alice.expectJob(id, { status: "finished", result: { by } });
  }
  const long = await alice.create("one-task", { region: "weur", value: "long" });
  const spilt = await alice.create("one-task", { region: "weur" });
  await alice.expectJob(spilt, { status: "finished", result: { by: "far" } });
  expect((await alice.view(long)).status).toBe("waiting_for_worker");
  release.resolve();
  await alice.expectJob(long, { status: "finished", result: { by: "near" } });
});

test("shards that are added take over a part of the workers, with what they hold, and lose no task", async () => {
  await startServer({ SHARDS: "weur=1", SPILL_AFTER_SECONDS: "1" });
  const workers = Array.from({ length: 16 }, (_, i) => `worker-${i}`);
  let release = Promise.withResolvers<void>();
  /** The attempts that workers have been given, by job: a task that had to move before has more than one. */
  const held = new Map<string, number>();
  const hold = async ({ jobId, attempt }: TaskContext) => {
    held.set(jobId, attempt);
    await release.promise;
    return { attempt };
  };
  for (const [i, id] of workers.entries()) startWorker(id, "weur", hold, i % 2 === 0);
  await expect.poll(async () => (await homes()).size, { timeout: 20_000 }).toBe(workers.length);

  let before = await homes();
  for (const shards of [2, 3]) {
    held.clear();
    const ids = await Promise.all(workers.map(() => alice.create("one-task", {})));
    await expect.poll(() => held.size, { timeout: 20_000 }).toBe(workers.length);
    const given = new Map(held);
    const waiting = await Promise.all(Array.from({ length: 4 }, () => alice.create("one-task", {})));
    for (const id of waiting) await alice.expectWaiting(id);
    await server.kill();
    await server.startAgain({ SHARDS: `weur=${shards}` });
    await expect.poll(async () => (await homes()).size, { timeout: 30_000 }).toBe(workers.length);
    const newest = `weur-${shards - 1}`;
    await expect.poll(async () => [...(await homes()).values()], { timeout: 30_000 }).toContain(newest);
    release.resolve();
    for (const id of ids) {
      const attempt = given.get(id);
      await alice.expectJob(id, { status: "finished", result: { attempt } }, 40_000);
      expectCountedOnce(await alice.history(id), 1);
    }
    for (const id of waiting) await alice.expectJob(id, { status: "finished" }, 40_000);
    const after = await homes();
    const moved = workers.filter((id) => after.get(id) !== before.get(id));
    expect(moved.map((id) => after.get(id))).toEqual(moved.map(() => newest));
    expect(moved.length).toBeGreaterThan(0);
    expect(moved.length).toBeLessThan(workers.length);
    before = after;
    release = Promise.withResolvers<void>();
  }
}, 180_000);

test("a worker that only ever polls moves to its new shard without registering again", async () => {
  // A job of before looks after its tasks once a lease.
  await startServer({ SHARDS: "1", LEASE_SECONDS: "5" });
  const headers = { "X-Worker-Token": server.workerToken, "X-Worker-Region": "enam" };
  const worker = (method: string, path: string, json?: object) =>
    call(`${server.url}/_worker${path}`, method, { headers, json });
  await worker("POST", "/workers/register", { worker_id: "old", supported_tasks: ["echo"] });
  const id = await alice.create("one-task", {});
  const { body } = await worker("GET", "/workers/old/tasks/next?timeout=5");
  const task = taskPayload.parse(body);
  const waits = await alice.create("one-task", {});
  await alice.expectWaiting(waits);
  await server.kill();
  await server.startAgain({ SHARDS: "enam=1, weur=1", FORMER_SHARDS: "shard-0", SPILL_AFTER_SECONDS: "0.5" });
  expect((await worker("PATCH", "/workers/old", { current_tasks: [task.task_id] })).status).toBe(200);
  expect(await homes()).toEqual(new Map([["old", "enam-0"]]));
  const { job_id, task_id } = task;
  const sent = await worker("POST", "/tasks/result", { worker_id: "old", job_id, task_id, result: { data: {} } });
  expect(sent.body).toMatchObject({ status: "result_accepted_success" });
  await alice.expectJob(id, { status: "finished" });
  // What waited where nobody is any more goes where the worker is now.
  const next = await worker("GET", "/workers/old/tasks/next?timeout=15");
  expect(taskPayload.parse(next.body).job_id).toBe(waits);
});
