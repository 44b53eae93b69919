import { type TaskContext, Worker } from "@batuta/worker";
import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import type { ApiClient } from "../support/api-client.ts";
import { BatutaServer } from "../support/batuta-server.ts";
import { expectCountedOnce, losses, successes } from "../support/counted-once.ts";

let server: BatutaServer;
let alice: ApiClient;
const stopWorkers: (() => Promise<void>)[] = [];

/** @param leaseSeconds also how soon a job looks for tasks that nobody knows any more */
async function startServer(leaseSeconds: number, environment: Record<string, string> = {}): Promise<void> {
  server = await BatutaServer.start({
    clients: ["alice"],
    environment: { LEASE_SECONDS: `${leaseSeconds}`, ...environment },
  });
  alice = server.client("alice");
}

/** A worker in this process: it outlives the server. */
function startWorker(
  handler: (context: TaskContext) => object | Promise<object>,
  { type = "echo", websockets = true } = {},
): void {
  const settings = {
    websockets,
    heartbeatInterval: 0.5,
    taskPollTimeout: 5,
    resultRetryInitialDelay: 0.5,
    shutdownTimeout: 0,
  };
  // Without chance it is back half a second after the server at the latest.
  const worker = new Worker({ ...server.forWorkers, ...settings }, { random: () => 0 }).task(type, handler);
  const running = worker.run({ handleSignals: false });
  stopWorkers.push(async () => {
    await worker.stop();
    await running;
  });
}

afterEach(async () => {
  await Promise.all(stopWorkers.splice(0).map((stop) => stop()));
  await server.kill();
});

test("jobs that waited for a worker when the server was killed are done once it is back", async () => {
  await startServer(60);
  const [one, three] = [await alice.create("one-task", { value: 1 }), await alice.create("fan-out", { count: 3 })];
  const ids = [one, three];
  await alice.expectWaiting(one);
  await alice.expectWaiting(three, 3);
  await server.kill();
  await server.startAgain();
  for (const id of ids) expect((await alice.view(id)).status).toMatch(/^waiting_for_/);
  startWorker(({ params }) => params);
  for (const id of ids) {
    await alice.expectJob(id, { status: "finished" });
    expect(losses(await alice.history(id))).toEqual([]);
  }
});

test("a task that a worker holds through a restart is done at its first attempt, whether it ends while the server is away or later", async () => {
  await startServer(60);
  const release = { meanwhile: Promise.withResolvers<void>(), later: Promise.withResolvers<void>() };
  let held = 0;
  const hold = async ({ attempt, params }: TaskContext) => {
    held += 1;
    await release[params.value === "meanwhile" ? "meanwhile" : "later"].promise;
    return { attempt, ended: params.value };
  };
  startWorker(hold, { type: "by_socket" });
  startWorker(hold, { type: "by_poll", websockets: false });
  const ids: { meanwhile: string[]; later: string[] } = { meanwhile: [], later: [] };
  for (const type of ["by_socket", "by_poll"]) {
    for (const value of ["meanwhile", "later"] as const)
      ids[value].push(await alice.create("one-task", { type, value }));
  }
  await expect.poll(() => held, { interval: 20, timeout: 10_000 }).toBe(4);

  await server.kill();
  release.meanwhile.resolve();
  await server.startAgain();
  for (const id of ids.meanwhile)
    await alice.expectJob(id, { status: "finished", result: { attempt: 1, ended: "meanwhile" } });
  for (const id of ids.later) expect(await alice.view(id)).toMatchObject({ status: "waiting_for_worker" });
  release.later.resolve();
  for (const id of ids.later) await alice.expectJob(id, { status: "finished", result: { attempt: 1, ended: "later" } });
  expect(held).toBe(4);
  for (const id of [...ids.meanwhile, ...ids.later]) expectCountedOnce(await alice.history(id), 1);
});

test("a task that a worker holds through an outage longer than its lease is not given to anybody else", async () => {
  // The server needs longer than that to start.
  await startServer(2, { WORKER_HEALTH_CHECK_INTERVAL_SECONDS: "0.5" });
  const release = Promise.withResolvers<void>();
  let held = 0;
  const hold = async ({ attempt }: TaskContext) => {
    held += 1;
    await release.promise;
    return { attempt };
  };
  startWorker(hold, { type: "by_socket" });
  startWorker(hold, { type: "by_poll", websockets: false });
  const ids = [
    await alice.create("one-task", { type: "by_socket" }),
    await alice.create("one-task", { type: "by_poll" }),
  ];
  await expect.poll(() => held, { interval: 20, timeout: 10_000 }).toBe(2);
  await server.kill();
  await server.startAgain();
  const heldTasks = async () => {
    const { body } = await alice.call("GET", "/workers");
    return z
      .array(z.object({ held_tasks: z.number() }))
      .parse(body)
      .map((worker) => worker.held_tasks);
  };
  await expect.poll(heldTasks, { interval: 20, timeout: 10_000 }).toEqual([1, 1]);
  release.resolve();
  for (const id of ids) {
    await alice.expectJob(id, { status: "finished", result: { attempt: 1 } });
    expect(losses(await alice.history(id))).toEqual([]);
  }
  expect(held).toBe(2);
});

test("a fan-out that was half done when the server was killed goes on where it was", async () => {
  await startServer(60);
  const release = Promise.withResolvers<void>();
  const begun: number[] = [];
  startWorker(async ({ params }) => {
    const number = Number(params.number);
    begun.push(number);
    if (number >= 6) await release.promise;
    return { number };
  });
  const id = await alice.create("fan-out", { count: 12 });
  await alice.expectJob(id, { branches: { total: 12, done: 6, failed: 0 } });
  await expect.poll(() => begun, { timeout: 10_000 }).toHaveLength(12);
  await server.kill();
  await server.startAgain();
  await alice.expectJob(id, { status: "waiting_for_parallel_tasks", branches: { total: 12, done: 6, failed: 0 } });
  release.resolve();
  const order = Array.from({ length: 12 }, (_, number) => ({ number }));
  await alice.expectJob(id, { status: "finished", state_history: { order, succeeded: 12, failed: [] } });
  expect(begun).toHaveLength(12);
  const history = await alice.history(id);
  expectCountedOnce(history, 12);
  expect([...successes(history).values()].flat().every((end) => end.attempt_number === 1)).toBe(true);
});

test.each(["auto", "queue"])(
  "every job whose creation was acknowledged before the server was killed is there and finishes (dispatch: %s)",
  async (via) => {
    const SIDE_BY_SIDE = 25;
    const killAfter = 20 + Math.floor(Math.random() * 80);
    // A job whose offer did not reach the registry finds out at its own check, a lease later.
    await startServer(2, { DISPATCH_VIA: via });
    const keys: string[] = [];
    const acknowledged = new Map<string, string>();
    let killing: Promise<void> | undefined;
    const createUntilKilled = async (): Promise<void> => {
      const key = crypto.randomUUID();
      keys.push(key);
      acknowledged.set(key, await alice.create("one-task", { value: key }, key));
      if (acknowledged.size >= killAfter) killing ??= server.kill();
      return createUntilKilled();
    };
    await Promise.allSettled(Array.from({ length: SIDE_BY_SIDE }, createUntilKilled));
    await killing;
    expect(acknowledged.size).toBeGreaterThanOrEqual(killAfter);
    expect(keys.length).toBe(acknowledged.size + SIDE_BY_SIDE);

    await server.startAgain();
    startWorker(({ params }) => params);
    await Promise.all(
      [...acknowledged].map(([key, id]) => alice.expectJob(id, { status: "finished", result: { value: key } })),
    );
    // Whoever got no answer asks again with the same key; an acknowledged job is found, and not made again.
    const ids = await Promise.all(keys.map((key) => alice.create("one-task", { value: key }, key)));
    for (const [at, key] of keys.entries()) expect(ids[at]).toBe(acknowledged.get(key) ?? ids[at]);
    await Promise.all(ids.map((id, at) => alice.expectJob(id, { status: "finished", result: { value: keys[at] } })));
  },
);
