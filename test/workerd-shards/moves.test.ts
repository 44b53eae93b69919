import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { JobObject, RegistryShard } from "../../src/index.ts";
import { ALICE, call, createJob, eventually, expectJob, unique, WORKER } from "../support/workerd-api.ts";
import { jobAlarm, pass, WAYS } from "../support/workerd-clock.ts";
import { openSocket, poll, postResult, resultOf } from "../support/workerd-worker.ts";
import { expectAt, PLAN, pollAt, shardNamed, shardsOf, workerAt, workerOf } from "../support/workerd-shards.ts";

/** What was heard of shards before is not new any more. */
beforeEach(() => {
  pass(2_000);
});

afterEach(() => {
  vi.restoreAllMocks();
});

const near = { ...WORKER, "X-Worker-Region": "weur" };

/** A worker whose home is weur-1, registered in weur-0, as it was before there were two. */
async function settledBefore(type: string): Promise<string> {
  const workerId = workerAt("weur-1", "weur");
  await shardNamed("weur-0").register({ worker_id: workerId, supported_tasks: [type] });
  return workerId;
}

const beat = (workerId: string, json: object = {}) =>
  call("PATCH", `/_worker/workers/${workerId}`, { headers: near, json });

describe.each(WAYS)("a worker whose shard is another one since there are more, %s,", (_, between) => {
  test("moves with its first heartbeat, and need not register again", async () => {
    const workerId = await settledBefore(unique());
    await between();
    expect((await beat(workerId, { load: 0.1 })).status).toBe(200);
    expect(await shardsOf(workerId)).toEqual(["weur-1"]);
  });

  test("moves when it asks for a task, and is given one where it is now", async () => {
    const type = unique();
    const workerId = await settledBefore(type);
    await between();
    const polled = poll(workerId);
    await eventually(() => shardsOf(workerId)).toEqual(["weur-1"]);
    const id = await createJob("one-task", { type });
    const task = await polled;
    expect(task?.job_id).toBe(id);
    if (task !== null)
      expect((await postResult(workerId, resultOf(task))).body).toMatchObject({ status: "result_accepted_success" });
    await expectJob(id, { status: "finished" });
  });

  test("takes what it holds along: the task runs on, and is given to nobody else", async () => {
    const type = unique();
    const workerId = await settledBefore(type);
    const task = await pollAt("weur-0", workerId);
    const id = await createJob("one-task", { type, region: "weur" });
    await jobAlarm(id, 2_100);
    const held = await task();
    expect(held.job_id).toBe(id);
    await between();
    expect((await beat(workerId, { current_tasks: [held.task_id] })).body).not.toHaveProperty("cancel_task_ids");
    await expectAt(id, { "weur-1": "held" });
    await between();
    // The job's check asks the shard where the task is now.
    pass(40_000);
    await beat(workerId, { current_tasks: [held.task_id] });
    await jobAlarm(id, 30_000);
    await expectAt(id, { "weur-1": "held" });
    // Workers of Avtomatika send neither attempt nor lease.
    const { job_id, task_id } = held;
    const { body } = await postResult(workerId, { job_id, task_id, result: { status: "success", data: {} } });
    expect(body).toMatchObject({ status: "result_accepted_success" });
    await expectJob(id, { status: "finished" });
  });

  test("may bring a result before anything else", async () => {
    const type = unique();
    const workerId = await settledBefore(type);
    const task = await pollAt("weur-0", workerId);
    const id = await createJob("one-task", { type, region: "weur" });
    await jobAlarm(id, 2_100);
    const held = await task();
    await between();
    const { body } = await postResult(workerId, resultOf(held));
    expect(body).toMatchObject({ status: "result_accepted_success" });
    expect(await shardsOf(workerId)).toEqual(["weur-1"]);
    await expectJob(id, { status: "finished" });
    await expectAt(id, {});
  });

  test("keeps its reputation", async () => {
    const workerId = await settledBefore(unique());
    await shardNamed("weur-0").reviewReputations(new Map([[workerId, { rate: 0.5, results: 100 }]]), true);
    await between();
    await beat(workerId);
    expect((await workerOf("weur-1", workerId))?.["reputation"]).toBeLessThan(1);
    expect(await shardsOf(workerId)).toEqual(["weur-1"]);
  });

  test("that is connected stays until its connection ends", async () => {
    const type = unique();
    const workerId = await settledBefore(type);
    const { webSocket } = await shardNamed("weur-0").fetch(`https://shard/ws/${workerId}`, {
      headers: { Upgrade: "websocket" },
    });
    webSocket?.accept();
    await between();
    expect((await beat(workerId)).status).toBe(200);
    expect(await shardsOf(workerId)).toEqual(["weur-0"]);
    webSocket?.close(1000, "a deployment");
    await eventually(async () => (await workerOf("weur-0", workerId))?.["connected"]).toBe(false);
    pass(61_000);
    const socket = await openSocket(workerId, near);
    expect(await shardsOf(workerId)).toEqual(["weur-1"]);
    expect((await socket.hello([type])).current_tasks).toEqual([]);
  });
});

describe.each(WAYS)("a worker that moves while what it holds comes to an end, %s,", (_, between) => {
  /** A task in the hands of a polling worker in weur-0, whose home is weur-1. */
  async function held() {
    const type = unique();
    const workerId = await settledBefore(type);
    const task = await pollAt("weur-0", workerId);
    const id = await createJob("one-task", { type, region: "weur" });
    await jobAlarm(id, 2_100);
    return { id, workerId, task: await task() };
  }

  /** The job is cancelled while the worker is on its way, and the word of it finds only the shard that it leaves. */
  function cancelOnTheWay(id: string): void {
    const { adopt } = RegistryShard.prototype;
    vi.spyOn(RegistryShard.prototype, "adopt").mockImplementationOnce(async function (
      this: RegistryShard,
      ...moving: Parameters<typeof adopt>
    ) {
      adopt.apply(this, moving);
      await call("POST", `/api/v1/jobs/${id}/cancel`, { headers: ALICE });
    });
  }

  test("keeps it when nothing ends, though two of its requests move it at once", async () => {
    const { id, workerId, task } = await held();
    await between();
    await Promise.all([1, 2].map(() => beat(workerId, { current_tasks: [task.task_id] })));
    expect(await shardsOf(workerId)).toEqual(["weur-1"]);
    await expectAt(id, { "weur-1": "held" });
  });

  test("does not keep it: its new shard is told, too", async () => {
    const { id, workerId, task } = await held();
    cancelOnTheWay(id);
    await between();
    await beat(workerId, { current_tasks: [task.task_id] });
    expect(await shardsOf(workerId)).toEqual(["weur-1"]);
    await expectAt(id, {});
    await between();
    pass(6_000);
    expect((await beat(workerId, { current_tasks: [task.task_id] })).body).toMatchObject({
      cancel_task_ids: [task.task_id],
    });
  });

  test("does not keep what it has given back on the way", async () => {
    const { id, workerId, task } = await held();
    const { taskMoved } = JobObject.prototype;
    vi.spyOn(JobObject.prototype, "taskMoved").mockImplementationOnce(async function (
      this: JobObject,
      ...moved: Parameters<typeof taskMoved>
    ) {
      taskMoved.apply(this, moved);
      const { job_id, task_id } = task;
      using _answer = await shardNamed("weur-0").result(workerId, { job_id, task_id, result: { status: "success" } });
    });
    await between();
    await beat(workerId);
    expect(await shardsOf(workerId)).toEqual(["weur-1"]);
    await expectJob(id, { status: "finished" });
    await between();
    expect(await workerOf("weur-1", workerId)).toMatchObject({ held_tasks: 0 });
  });

  test("does not keep it when its job cannot be told of the move: it is asked once the worker is connected", async () => {
    const { id, workerId, task } = await held();
    const moved = vi.spyOn(JobObject.prototype, "taskMoved").mockImplementationOnce(() => {
      throw new Error("lost");
    });
    await beat(workerId, { current_tasks: [task.task_id] });
    expect(moved).toHaveBeenCalledTimes(1);
    await call("POST", `/api/v1/jobs/${id}/cancel`, { headers: ALICE });
    await expectAt(id, { "weur-1": "held" });
    const socket = await openSocket(workerId, near);
    await socket.hello([], { holding: [task] });
    expect(await socket.next("cancel_task")).toMatchObject({ job_id: id, task_id: task.task_id });
    await expectAt(id, {});
  });
});

test("a worker without a socket is told with its heartbeat what to stop, where there are several shards, too", async () => {
  const workerId = workerAt("weur-1", "weur");
  const type = unique();
  await call("POST", "/_worker/workers/register", {
    headers: near,
    json: { worker_id: workerId, supported_tasks: [type] },
  });
  const polled = poll(workerId);
  await eventually(async () => (await workerOf("weur-1", workerId)) !== undefined).toBe(true);
  const id = await createJob("one-task", { type, region: "weur" });
  const task = await polled;
  await call("POST", `/api/v1/jobs/${id}/cancel`, { headers: ALICE });
  const current_tasks = [task?.task_id];
  expect((await beat(workerId, { current_tasks })).body).toMatchObject({ cancel_task_ids: current_tasks });
  expect((await beat(workerId, { current_tasks })).body).not.toHaveProperty("cancel_task_ids");
  pass(6_000);
  expect((await beat(workerId, { current_tasks })).body).toMatchObject({ cancel_task_ids: current_tasks });
});

test("nobody looks again and again for a worker that is nowhere", async () => {
  const workerId = unique();
  expect((await beat(workerId)).status).toBe(404);
  expect((await beat(workerId)).status).toBe(404);
  await call("POST", "/_worker/workers/register", { headers: near, json: { worker_id: workerId } });
  expect((await beat(workerId)).status).toBe(200);
  expect((await shardsOf(workerId)).length).toBe(1);
});

test("a worker that is at home in a region is not moved to where a request of its comes from", async () => {
  const workerId = unique();
  const json = { worker_id: workerId, supported_tasks: [unique()] };
  await call("POST", "/_worker/workers/register", { headers: { ...WORKER, "X-Worker-Region": "enam" }, json });
  expect((await beat(workerId)).status).toBe(200);
  expect(await shardsOf(workerId)).toEqual(["enam-0"]);
  expect(PLAN.names).toContain("enam-0");
});
