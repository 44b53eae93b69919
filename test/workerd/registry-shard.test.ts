import { describe, expect, test } from "vitest";
import type { Offer } from "../../src/dispatch/offer.ts";
import { call, createJob, eventually, expectJob, unique, WORKER } from "../support/workerd-api.ts";
import { pass, shardAlarm, WAYS } from "../support/workerd-clock.ts";
import { shard, shardRows } from "../support/workerd-objects.ts";
import {
  openSocket,
  poll,
  polledTask,
  postResult,
  register,
  resultOf,
  socketWorker,
  waitForPoll,
} from "../support/workerd-worker.ts";

const GRACE_MS = 10_000;
const TTL_MS = 120_000;

const heartbeat = (workerId: string, json: object = {}) =>
  call("PATCH", `/_worker/workers/${workerId}`, { headers: WORKER, json });

const waits = (id: string) => eventually(() => shardRows("waiting", id)).toBe(1);

const places = async (offers: Offer[]) => (await shard().offer(offers)).map(({ is }) => is);

function offerOf(fields: Partial<Offer> & Pick<Offer, "type">): Offer {
  return {
    jobId: unique(),
    taskId: unique(),
    attempt: 1,
    lease: "word",
    params: {},
    tracing: {},
    client: "alice",
    priority: 0,
    strategy: "default",
    requirements: null,
    maxCost: null,
    timeoutMs: 1_000,
    ...fields,
  };
}

describe.each(WAYS)("a task that no worker takes yet, %s,", (_, between) => {
  test("waits as a row and goes to the first worker that says hello", async () => {
    const type = unique();
    const id = await createJob("one-task", { type });
    await waits(id);
    await between();
    const worker = await socketWorker([type]);
    expect(await worker.task()).toMatchObject({ job_id: id, attempt: 1 });
    expect(await shardRows("waiting", id)).toBe(0);
  });

  test("goes to a worker that polls, or registers with a poll open", async () => {
    const [type, workerId] = [unique(), unique()];
    const polled = poll(workerId);
    await waitForPoll(workerId);
    const id = await createJob("one-task", { type });
    await waits(id);
    await between();
    await register(workerId, { supported_tasks: [type] });
    expect(await polled).toMatchObject({ job_id: id, attempt: 1 });
  });

  test("comes before others by its priority, then by its age", async () => {
    const type = unique();
    const ids: string[] = [];
    for (const priority of [0, 5, 0, 5, -1]) {
      ids.push(await createJob("one-task", { type, priority }));
      await waits(ids.at(-1) ?? "");
    }
    await between();
    const worker = await socketWorker([type]);
    const order: string[] = [];
    for (let n = 0; n < ids.length; n += 1) {
      const task = await worker.task();
      order.push(task.job_id);
      await between();
      await worker.result(task);
    }
    expect(order).toEqual([1, 3, 0, 2, 4].map((at) => ids[at]));
  });
});

describe.each(WAYS)("an offer, %s,", (_, between) => {
  test("counts once for each attempt, and a newer attempt takes the place of an older", async () => {
    const task = offerOf({ type: unique() });
    expect(await places([task])).toEqual(["waiting"]);
    await between();
    expect(await places([task])).toEqual(["known"]);
    await between();
    expect(await places([{ ...task, attempt: 2 }])).toEqual(["waiting"]);
    await between();
    expect(await places([task])).toEqual(["known"]);
    expect(await shardRows("waiting", task.taskId)).toBe(1);
    const worker = await socketWorker([task.type], { slots: 2 });
    expect(await worker.task()).toMatchObject({ attempt: 2 });
    await between();
    expect(await places([task, { ...task, attempt: 2 }])).toEqual(["known", "known"]);
    expect(await worker.rest()).toEqual([]);
  });

  test("that is released stops waiting; a worker that holds it is told to stop and has its slot back", async () => {
    const [held, waiting] = [offerOf({ type: unique() }), offerOf({ type: unique() })];
    const worker = await socketWorker([held.type, waiting.type]);
    expect(await places([held])).toEqual(["assigned"]);
    await between();
    expect(await places([waiting])).toEqual(["waiting"]);
    await between();
    await shard().release([held]);
    expect(await worker.next("cancel_task")).toMatchObject({ task_id: held.taskId, job_id: held.jobId });
    expect(await worker.next("task")).toMatchObject({ task: { task_id: held.taskId } });
    expect(await worker.task()).toMatchObject({ task_id: waiting.taskId });
    await between();
    await shard().release([waiting]);
    expect(await shard().locate([held, waiting])).toEqual([{ is: "unknown" }, { is: "unknown" }]);
  });
});

describe.each(WAYS)("a polling worker, %s,", (_, between) => {
  test("that is not heard of for its time loses its task, and a late result is stale", async () => {
    const { id, type, workerId, task } = await polledTask();
    const other = await socketWorker([type]);
    await between();
    await heartbeat(other.workerId);
    expect(await shardAlarm(TTL_MS)).toBe(true);
    const again = await other.task();
    expect(again).toMatchObject({ task_id: task.task_id, attempt: 2 });
    await between();
    expect((await postResult(workerId, resultOf(task))).body).toMatchObject({
      status: "ignored",
      reason: "stale_task",
    });
    await between();
    await other.result(again);
    await expectJob(id, { status: "finished" });
  });

  test("keeps its task as long as it is heard of", async () => {
    const { id, workerId, task } = await polledTask();
    for (let minutes = 0; minutes < 4; minutes += 1) {
      await between();
      pass(TTL_MS / 2);
      expect(await heartbeat(workerId)).toMatchObject({ status: 200 });
      await shardAlarm();
    }
    await between();
    expect((await postResult(workerId, resultOf(task))).body).toEqual({ status: "result_accepted_success" });
    await expectJob(id, { status: "finished" });
  });

  test("keeps it as long as it says that it has it", async () => {
    const { id, workerId, task } = await polledTask();
    for (const ms of [1_000, 30_000]) {
      await between();
      pass(ms);
      // The first one may have been on its way when the task was handed over.
      const inHand = ms === 1_000 ? [] : [task.task_id];
      expect(await heartbeat(workerId, { current_tasks: inHand })).toMatchObject({ status: 200 });
      await shardAlarm();
    }
    await expectJob(id, { current_task_info: { attempt: 1 } });
    await postResult(workerId, resultOf(task));
    await expectJob(id, { status: "finished" });
  });

  test("loses it, living on, when it says that it does not have it", async () => {
    const { id, workerId } = await polledTask();
    await between();
    pass(30_000);
    expect(await heartbeat(workerId, { current_tasks: [] })).toMatchObject({ status: 200 });
    await shardAlarm();
    await expectJob(id, { current_task_info: { attempt: 2 } });
    await between();
    const again = await poll(workerId);
    expect(again).toMatchObject({ job_id: id, attempt: 2 });
    if (again !== null) await postResult(workerId, resultOf(again));
    await expectJob(id, { status: "finished" });
  });

  test("keeps it with a socket open for commands, too", async () => {
    const { id, workerId, task } = await polledTask();
    await openSocket(workerId);
    for (let minutes = 0; minutes < 4; minutes += 1) {
      await between();
      pass(TTL_MS / 2);
      expect(await heartbeat(workerId)).toMatchObject({ status: 200 });
      await shardAlarm();
    }
    await between();
    expect((await postResult(workerId, resultOf(task))).body).toEqual({ status: "result_accepted_success" });
    await expectJob(id, { status: "finished" });
  });

  test("does not put off the end of another's lease by its own", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("one-task", { type });
    await worker.task();
    await worker.close();
    await between();
    await polledTask();
    await between();
    await shardAlarm(GRACE_MS);
    await expectJob(id, { current_task_info: { attempt: 2 } });
  });

  test("is forgotten once it is gone for a day and holds nothing", async () => {
    const { id, workerId } = await polledTask();
    await between();
    await shardAlarm(TTL_MS);
    expect(await shardRows("leases", id)).toBe(0);
    expect(await shardRows("workers", workerId)).toBe(1);
    await between();
    await polledTask();
    await shardAlarm(24 * 60 * 60_000);
    expect(await shardRows("workers", workerId)).toBe(0);
    expect(await heartbeat(workerId)).toMatchObject({ status: 404, body: { code: "worker_not_found" } });
  });
});
