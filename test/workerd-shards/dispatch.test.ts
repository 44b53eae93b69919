import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ADMIN, call, createJob, eventually, expectJob, unique } from "../support/workerd-api.ts";
import { deliver, jobAlarm, pass, WAYS } from "../support/workerd-clock.ts";
import { jobObject, namespaces } from "../support/workerd-objects.ts";
import {
  expectAt,
  noteCalls,
  PLAN,
  shardNamed,
  shardsOf,
  whereIs,
  workerAt,
  workerIn,
} from "../support/workerd-shards.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** What was heard of shards before is not new any more. */
beforeEach(() => {
  pass(2_000);
});

const shardsAmong = (calls: readonly string[]) => [...new Set(calls)].filter((name) => PLAN.names.includes(name));

test("a worker is at home in its region, and found there by requests that do not say it", async () => {
  const worker = await workerIn("enam", [unique()]);
  expect(await shardsOf(worker.workerId)).toEqual(["enam-0"]);
  const headers = { "X-Worker-Token": "worker-token" };
  const beat = await call("PATCH", `/_worker/workers/${worker.workerId}`, { headers, json: { load: 0.5 } });
  expect([beat.status, await shardsOf(worker.workerId)]).toEqual([200, ["enam-0"]]);
});

test("all shards are listed, with what they have", async () => {
  const worker = await workerIn("enam", [unique()]);
  const { body } = await call("GET", "/api/v1/admin/shards", { headers: ADMIN });
  expect(body).toMatchObject({ shards: PLAN.names.map((name) => ({ name })) });
  const workers = await call("GET", "/api/v1/workers", { headers: ADMIN });
  expect(workers.body).toContainEqual(expect.objectContaining({ worker_id: worker.workerId }));
});

test("a shard sums up its workers and what waits for them, by type", async () => {
  const [type, other] = [unique(), unique()];
  const worker = await workerIn("enam", [type], { slots: 3 });
  const id = await createJob("one-task", { type, region: "enam" });
  await worker.task();
  const waits = await createJob("one-task", { type: other, region: "enam" });
  await expectAt(waits, { "enam-0": "waiting" });
  const { draining, types } = await shardNamed("enam-0").summary();
  expect([draining, types[type], types[other]]).toEqual([
    false,
    { workers: 1, free: 2, waiting: 0 },
    { workers: 0, free: 0, waiting: 1 },
  ]);
  await expectAt(id, { "enam-0": "held" });
});

test("a task goes to a free worker of its region, in one call to one shard", async () => {
  const type = unique();
  const [near, far] = [await workerIn("weur", [type]), await workerIn("enam", [type])];
  // The shard of the region that has the worker must be known: else the other one is tried as well.
  const first = await createJob("one-task", { type, region: "enam" });
  await far.result(await far.task());
  await expectJob(first, { status: "finished" });
  const calls = noteCalls();
  const id = await createJob("one-task", { type, region: "enam" });
  await far.result(await far.task());
  await expectJob(id, { status: "finished" });
  expect(shardsAmong(calls)).toEqual(["enam-0"]);
  await near.close();
});

describe.each(WAYS)("a task of a type, %s,", (_, between) => {
  test("that no worker of its region takes goes to another region at once", async () => {
    const type = unique();
    const far = await workerIn("enam", [type]);
    const id = await createJob("one-task", { type, region: "weur" });
    const task = await far.task();
    await between();
    expect((await far.result(task)).status).toBe("result_accepted_success");
    await expectJob(id, { status: "finished" });
  });

  test("whose workers are busy waits for them, and then takes a free one elsewhere", async () => {
    const type = unique();
    const near = await workerIn("weur", [type], { workerId: workerAt("weur-1", "weur") });
    const far = await workerIn("enam", [type], { slots: 2 });
    const first = await createJob("one-task", { type, region: "weur" });
    const held = await near.task();
    const id = await createJob("one-task", { type, region: "weur" });
    await expectAt(id, { "weur-1": "waiting" });
    await between();
    expect(await jobAlarm(id, 1_000)).toBe(false);
    expect(await jobAlarm(id, 1_100)).toBe(true);
    const task = await far.task();
    expect(task.job_id).toBe(id);
    await between();
    expect((await far.result(task)).status).toBe("result_accepted_success");
    await near.result(held);
    await expectJob(id, { status: "finished" });
    await expectJob(first, { status: "finished" });
  });

  test("that has lost its worker, and finds no other there, takes a free one elsewhere", async () => {
    const type = unique();
    const near = await workerIn("weur", [type], { workerId: workerAt("weur-1", "weur") });
    const id = await createJob("one-task", { type, region: "weur" });
    const { task_id: taskId, attempt } = await near.task();
    await near.close();
    await jobObject(id).leaseLost(taskId, attempt, "worker_gone");
    await expectAt(id, { "weur-1": "waiting" });
    const far = await workerIn("enam", [type]);
    await between();
    await jobAlarm(id, 2_100);
    expect(await far.task()).toMatchObject({ job_id: id });
  });

  test("that nobody takes anywhere stays, and is looked at ever more rarely", async () => {
    const type = unique();
    const near = await workerIn("weur", [type], { workerId: workerAt("weur-0", "weur") });
    const other = await createJob("one-task", { type });
    const held = await near.task();
    const id = await createJob("one-task", { type });
    await expectAt(id, { "weur-0": "waiting" });
    const looks: boolean[] = [];
    for (const seconds of [2.3, 1.5, 1.5, 4, 2.5]) {
      // oxlint-disable-next-line no-await-in-loop -- time passes
      looks.push(await jobAlarm(id, seconds * 1_000));
      // oxlint-disable-next-line no-await-in-loop -- time passes
      await between();
    }
    expect(looks).toEqual([true, false, true, false, true]);
    await expectAt(id, { "weur-0": "waiting" });
    await near.result(held);
    await expectJob(other, { status: "finished" });
    expect((await near.task()).job_id).toBe(id);
  });

  test("keeps its place when it moves", async () => {
    const type = unique();
    const far = await workerIn("enam", [type]);
    const first = await createJob("one-task", { type, region: "enam" });
    const held = await far.task();
    const near = await workerIn("weur", [type], { workerId: workerAt("weur-0", "weur") });
    const old = await createJob("one-task", { type, region: "weur" });
    expect((await near.task()).job_id).toBe(old);
    const moves = await createJob("one-task", { type, region: "weur" });
    await expectAt(moves, { "weur-0": "waiting" });
    pass(1_000);
    const younger = await createJob("one-task", { type, region: "enam" });
    await near.close();
    await call("PATCH", `/_worker/workers/${near.workerId}`, {
      headers: { "X-Worker-Token": "worker-token", "X-Worker-Region": "weur" },
      json: { supported_tasks: [], status: "offline" },
    });
    await between();
    // No worker of its region takes it any more, and the one elsewhere is busy: there it waits before what is younger.
    expect(await jobAlarm(moves, 1_100)).toBe(true);
    await expectAt(moves, { "enam-0": "waiting" });
    await far.result(held);
    expect((await far.task()).job_id).toBe(moves);
    await expectJob(first, { status: "finished" });
    await expectJob(younger, { status: "waiting_for_worker" });
  });

  test("leaves a shard that drains", async () => {
    const type = unique();
    const id = await createJob("one-task", { type, region: "enam" });
    await expectAt(id, { "enam-0": "waiting" });
    try {
      const alarmAt = () => runInDurableObject(jobObject(id), (_, { storage }) => storage.getAlarm());
      await eventually(alarmAt).toBeLessThan(Date.now() + 2_050);
      await shardNamed("enam-0").drain({ deadline: null, reason: null });
      await between();
      expect(await jobAlarm(id, 2_100)).toBe(true);
      await eventually(async () => Object.values(await whereIs(id))).toEqual(["waiting"]);
      expect(await whereIs(id)).not.toHaveProperty("enam-0");
      const next = await createJob("one-task", { type, region: "enam" });
      await eventually(async () => Object.values(await whereIs(next))).toEqual(["waiting"]);
      expect(await whereIs(next)).not.toHaveProperty("enam-0");
    } finally {
      await shardNamed("enam-0").undrain();
    }
  });

  test("is not lost when its job dies between taking it back and offering it anew", async () => {
    const type = unique();
    const id = await createJob("one-task", { type, region: "weur" });
    await eventually(async () => Object.values(await whereIs(id))).toEqual(["waiting"]);
    const refs = [{ jobId: id, taskId: `${id}-1`, attempt: 1 }];
    await Promise.all(["weur-0", "weur-1"].map((name) => shardNamed(name).withdraw(refs)));
    await between();
    // The job's own check.
    await jobAlarm(id, 61_000);
    const worker = await workerIn("weur", [type]);
    await jobAlarm(id, 4_000);
    const task = await worker.task();
    expect([task.job_id, (await worker.result(task)).status]).toEqual([id, "result_accepted_success"]);
    await expectJob(id, { status: "finished" });
  });

  test("comes through the queue when the shard it moves to is away", async () => {
    const type = unique();
    const near = await workerIn("weur", [type], { workerId: workerAt("weur-1", "weur") });
    const far = await workerIn("enam", [type]);
    await createJob("one-task", { type, region: "weur" });
    await near.task();
    const id = await createJob("one-task", { type, region: "weur" });
    await expectAt(id, { "weur-1": "waiting" });
    await between();
    const { getByName } = namespaces;
    let calls = 0;
    vi.spyOn(namespaces, "getByName").mockImplementation(function (this: typeof env.REGISTRY, name, options) {
      // It tells what it has to do, and is gone when the offer comes.
      if (name === "enam-0" && ++calls === 2) throw new Error(`${name} is away.`);
      return getByName.call(this, name, options);
    });
    expect(await jobAlarm(id, 2_100)).toBe(true);
    await eventually(() => calls).toBeGreaterThanOrEqual(2);
    await deliver("dispatch");
    const task = await far.task();
    expect(task.job_id).toBe(id);
  });
});
