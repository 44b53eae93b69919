import { evictAllDurableObjects, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { RegistryShard } from "../../src/index.ts";
import { PROGRESS_LINGER_MS } from "../../src/limits.ts";
import { createJob, eventually, expectJob, unique } from "../support/workerd-api.ts";
import { startMeter } from "../support/workerd-meter.ts";
import { shard } from "../support/workerd-objects.ts";
import { poll, register, socketWorker, waitForPoll, type WorkerSocket } from "../support/workerd-worker.ts";

const SOCKETS = 25;
const PINGS = 4;

afterEach(() => {
  vi.restoreAllMocks();
});

/** The shard by its id: the meter counts calls by name only, so looking at it costs nothing. */
const shardById = () => env.REGISTRY.get(env.REGISTRY.idFromName("shard-0"));
const NOTHING = { rows: 0, setAlarms: 0, deletedAlarms: 0 };

/** Counts what runs the shard's code: its constructor, and each of its methods. */
async function countEvents() {
  const state = await runInDurableObject(shard(), (_, ctx): typeof ctx => Object.getPrototypeOf(ctx));
  const starts = vi.spyOn(state, "setWebSocketAutoResponse");
  const counted = new Map<string, { mock: { calls: unknown[] } }>([["constructor", starts]]);
  for (const name of Object.getOwnPropertyNames(RegistryShard.prototype)) {
    if (name === "constructor") continue;
    counted.set(name, vi.spyOn(RegistryShard.prototype, name as keyof RegistryShard));
  }
  return () =>
    Object.fromEntries(
      [...counted].flatMap(([name, { mock }]) => (mock.calls.length === 0 ? [] : [[name, mock.calls.length]])),
    );
}

/** When the shard's sockets were last answered by themselves, epoch ms. */
function pongs(): Promise<number[]> {
  return runInDurableObject(shardById(), (_, ctx) =>
    ctx.getWebSockets("worker").map((socket) => ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0),
  );
}

const connect = (types: readonly string[] = [unique()]): Promise<WorkerSocket[]> =>
  Promise.all(Array.from({ length: SOCKETS }, () => socketWorker(types, { slots: 2 })));

async function pingAll(workers: readonly WorkerSocket[]): Promise<void> {
  for (let n = 0; n < PINGS; n += 1) {
    for (const worker of workers) worker.send("ping");
    await Promise.all(workers.map((worker) => worker.pong()));
  }
}

describe("an idle fleet", () => {
  test("on sockets costs nothing: its pings are answered while the shard sleeps", async () => {
    const workers = await connect();
    const events = await countEvents();
    const meter = await startMeter();
    await evictAllDurableObjects({ webSockets: "hibernate" });
    const timers = [vi.spyOn(globalThis, "setTimeout"), vi.spyOn(globalThis, "setInterval")];
    const begin = Date.now();
    await pingAll(workers);
    for (const timer of timers) expect(timer).not.toHaveBeenCalled();
    expect(events(), "nothing has run the shard's code").toEqual({});
    expect(meter.calls).toEqual([]);

    // To look is what wakes it, which shows that it slept and that the counters count.
    expect((await pongs()).filter((at) => at >= begin)).toHaveLength(SOCKETS);
    expect(events()).toEqual({ constructor: 1 });
    expect(await meter.writtenBy(shardById())).toEqual(NOTHING);
    expect(await runInDurableObject(shardById(), (_, { storage }) => storage.getAlarm())).toBeNull();
  });

  test("on long polls costs nothing while it waits", async () => {
    const workerIds = Array.from({ length: 5 }, unique);
    for (const id of workerIds) await register(id, { supported_tasks: [unique()] });
    const polls = workerIds.map((id) => poll(id, 2));
    for (const id of workerIds) await waitForPoll(id);
    const events = await countEvents();
    const meter = await startMeter();
    await evictAllDurableObjects({ webSockets: "hibernate" });
    // There is no event to wait for: that is what is looked for.
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(events()).toEqual({});
    expect(meter.calls).toEqual([]);
    expect(await Promise.all(polls)).toEqual(workerIds.map(() => null));
  });

  test("has cost one row each when it came: its registration; no alarm was set for it", async () => {
    await runInDurableObject(shardById(), () => {});
    const meter = await startMeter();
    await connect();
    await eventually(() => meter.frames()).toBe(SOCKETS);
    expect(await meter.writtenBy(shardById())).toEqual({ ...NOTHING, rows: SOCKETS });
    expect(await runInDurableObject(shardById(), (_, { storage }) => storage.getAlarm())).toBeNull();
  });

  test("is there as before when work comes after its sleep", async () => {
    const type = unique();
    const workers = await connect([type]);
    await evictAllDurableObjects({ webSockets: "hibernate" });
    await pingAll(workers);
    const id = await createJob("one-task", { type });
    await Promise.race(workers.map(async (worker) => worker.result(await worker.task())));
    await expectJob(id, { status: "finished" });
  });
});

test("a burst of progress is one row, however many frames it was, and no row of the shard", async () => {
  const type = unique();
  const worker = await socketWorker([type]);
  const id = await createJob("one-task", { type });
  const { job_id, task_id } = await worker.task();
  const jobById = env.JOBS.get(env.JOBS.idFromName(id));
  const meter = await startMeter();
  const timers = vi.spyOn(globalThis, "setTimeout");
  const lingering = () => timers.mock.calls.filter(([, ms]) => ms === PROGRESS_LINGER_MS);
  for (let burst = 1; burst <= 2; burst += 1) {
    for (let n = 1; n <= 100; n += 1) {
      worker.send({ type: "progress_update", job_id, task_id, progress: n / 100, message: `${burst}: ${n}` });
    }
    expect(await worker.rest()).toEqual([]);
    await expectJob(id, { progress: 1, progress_message: `${burst}: 100` });
    expect((await meter.writtenBy(jobById)).rows).toBe(burst - 1);
    expect(lingering()).toHaveLength(burst);
    // Ten seconds later, so to speak.
    await runInDurableObject(jobById, () => lingering()[burst - 1]?.[0]());
    expect((await meter.writtenBy(jobById)).rows).toBe(burst);
  }
  expect(await meter.writtenBy(shardById())).toEqual(NOTHING);
});
