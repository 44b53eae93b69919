import { describe, expect, test } from "vitest";
import { slowHandler } from "../support/blueprints.ts";
import { ALICE, BOB, call, createJob, eventually, expectJob, unique, viewJob, WORKER } from "../support/workerd-api.ts";
import { deliver, jobAlarm, pass, shardAlarm, WAYS } from "../support/workerd-clock.ts";
import { shardRows } from "../support/workerd-objects.ts";
import { poll, polledTask, postResult, register, resultOf, socketWorker } from "../support/workerd-worker.ts";

const cancel = (id: string, headers = ALICE) => call("POST", `/api/v1/jobs/${id}/cancel`, { headers });
const accepted = { status: 200, body: { status: "cancellation_request_accepted" } };

const heartbeat = (workerId: string, current_tasks: string[]) =>
  call("PATCH", `/_worker/workers/${workerId}`, { headers: WORKER, json: { current_tasks } });

/** The job's history so far, as text. */
const history = async (id: string) => {
  await deliver("history");
  return JSON.stringify((await call("GET", `/api/v1/jobs/${id}/history`, { headers: ALICE })).body);
};

describe.each(WAYS)("a cancelled job, %s,", (_, between) => {
  test("that waits for a worker leaves nothing to the worker that comes", async () => {
    const type = unique();
    const id = await createJob("one-task", { type });
    await eventually(() => shardRows("waiting", id)).toBe(1);
    await between();
    expect(await cancel(id)).toMatchObject(accepted);
    await eventually(() => shardRows("waiting", id)).toBe(0);
    await between();
    const workerId = unique();
    await register(workerId, { supported_tasks: [type] });
    expect(await poll(workerId, 0.2)).toBeNull();
    await expectJob(id, { status: "cancelled", error_message: "The job was cancelled by client:alice." });
  });

  test("tells the worker that holds its task, and is not revived by a late success", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("one-task", { type });
    const task = await worker.task();
    await between();
    expect(await cancel(id)).toMatchObject(accepted);
    expect(await worker.next("cancel_task")).toMatchObject({
      command: "cancel_task",
      task_id: task.task_id,
      job_id: id,
    });
    await between();
    expect(await viewJob(id)).toMatchObject({ status: "waiting_for_worker", cancel_requested: true });
    expect((await postResult(worker.workerId, resultOf(task))).body).toEqual({ status: "result_accepted_cancelled" });
    await expectJob(id, { status: "cancelled", state_history: {} });
    expect((await postResult(worker.workerId, resultOf(task))).body).toMatchObject({
      status: "ignored",
      reason: "job_already_terminated",
    });
  });

  test("waits for its worker's answer no longer than the grace", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("one-task", { type });
    await worker.task();
    await cancel(id);
    await between();
    expect(await jobAlarm(id, 29_000)).toBe(false);
    expect(await jobAlarm(id, 2_000)).toBe(true);
    await expectJob(id, { status: "cancelled", error_message: "The job was cancelled by client:alice." });
  });

  test("tells a worker without a socket with its heartbeats, and not twice in one breath", async () => {
    const { id, workerId, task } = await polledTask();
    const beat = async (tasks: string[]) => (await heartbeat(workerId, tasks)).body;
    await between();
    expect(await cancel(id)).toMatchObject(accepted);
    expect(await beat([task.task_id])).toMatchObject({ cancel_task_ids: [task.task_id] });
    expect(await beat([task.task_id])).not.toHaveProperty("cancel_task_ids");
    pass(5_000);
    await between();
    expect(await beat([task.task_id])).toMatchObject({ cancel_task_ids: [task.task_id] });
    expect((await postResult(workerId, resultOf(task, { status: "cancelled" }))).body).toMatchObject({
      status: "result_accepted_cancelled",
    });
    await expectJob(id, { status: "cancelled" });
  });

  test("does not wait when it is cancelled twice", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("one-task", { type });
    const task = await worker.task();
    await cancel(id);
    await between();
    expect(await cancel(id)).toMatchObject(accepted);
    await expectJob(id, { status: "cancelled" });
    expect(await worker.result(task)).toMatchObject({ status: "ignored", reason: "job_already_terminated" });
  });

  test("runs its clean-up state, and is cancelled in the end", async () => {
    const type = unique();
    const worker = await socketWorker([type, `${type}-clean`]);
    const id = await createJob("clean-up", { type });
    const task = await worker.task();
    await between();
    await cancel(id);
    await worker.result(task, { status: "cancelled" });
    await expectJob(id, { status: "waiting_for_worker", current_state: "clean", cancel_requested: true });
    await between();
    await worker.result(await worker.task());
    await expectJob(id, { status: "cancelled", error_message: "The job was cancelled by client:alice." });
  });

  test("takes all branches of its fan-out with it, and its aggregator never runs", async () => {
    const type = unique();
    const worker = await socketWorker([type], { slots: 2 });
    const id = await createJob("fan-out", { type, count: 5 });
    const held = [await worker.task(), await worker.task()];
    await between();
    expect(await cancel(id)).toMatchObject(accepted);
    await eventually(() => shardRows("waiting", id)).toBe(0);
    for (const task of held) await postResult(worker.workerId, resultOf(task));
    await jobAlarm(id, 60_000);
    await shardAlarm(60_000);
    await expectJob(id, { status: "cancelled", state_history: {}, current_state: "split" });
  });

  test("cannot be cancelled again", async () => {
    const id = await createJob("one-task", { type: unique() });
    await cancel(id);
    await between();
    expect(await cancel(id)).toMatchObject({ status: 409, body: { code: "conflict" } });
  });
});

test("a cancelled job ends once its polling worker no longer names its task", async () => {
  const { id, workerId, task } = await polledTask();
  await cancel(id);
  // What it says so early may be from before the task reached it.
  await heartbeat(workerId, []);
  pass(5_000);
  expect((await heartbeat(workerId, [task.task_id])).body).toMatchObject({ cancel_task_ids: [task.task_id] });
  expect(await viewJob(id)).toMatchObject({ status: "waiting_for_worker" });
  await heartbeat(workerId, []);
  await expectJob(id, { status: "cancelled", error_message: "The job was cancelled by client:alice." });
  await eventually(() => history(id)).toContain("The worker was told to stop, and does not have the task any more.");
});

test("what a polling worker itself reports of a task it was told to stop counts, not that it stopped to name it", async () => {
  const { id, workerId, task } = await polledTask();
  await cancel(id);
  pass(5_000);
  await heartbeat(workerId, []);
  await postResult(workerId, resultOf(task, { status: "cancelled" }));
  await expectJob(id, { status: "cancelled" });
  await eventually(() => history(id)).toContain("job_cancelled");
  expect(await history(id)).not.toContain("task_lost");
});

test("a job whose handler is still at work is cancelled at once, and what the handler decides comes too late", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  slowHandler.waitsFor = promise;
  const id = await createJob("handlers", { first: "slow" });
  await expectJob(id, { status: "running", current_state: "slow" });
  expect(await cancel(id)).toMatchObject(accepted);
  resolve();
  await promise;
  await jobAlarm(id, 60_000);
  await expectJob(id, { status: "cancelled", current_state: "slow", result: null });
});

test.each(["not-there", "no id at all!"])("there is nothing to cancel under '%s'", async (id) => {
  expect(await cancel(encodeURIComponent(id))).toMatchObject({ status: 404, body: { code: "job_not_found" } });
});

test("another client's job cannot be cancelled, and is not told of", async () => {
  const id = await createJob("one-task", { type: unique() });
  expect(await cancel(id, BOB)).toMatchObject({ status: 404, body: { code: "job_not_found" } });
  await expectJob(id, { status: "waiting_for_worker" });
});
