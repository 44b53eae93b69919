import { describe, expect, test } from "vitest";
import type { TaskPayload } from "@batuta/worker/protocol";
import { call, createJob, expectJob, unique, viewJob, WORKER } from "../support/workerd-api.ts";
import { WAYS } from "../support/workerd-clock.ts";
import { polledTask, postResult, register, resultOf, socketWorker } from "../support/workerd-worker.ts";

const eventOf = (task: TaskPayload, type: string, payload: object, id = unique()) => ({
  event_id: id,
  event_type: type,
  payload,
  target_job_id: task.job_id,
  target_task_id: task.task_id,
});
const post = (workerId: string, event: object) =>
  call("POST", "/_worker/events", { headers: WORKER, json: { worker_id: workerId, ...event } });

describe.each(WAYS)("a worker's event, %s,", (_, between) => {
  test("moves its job on, and leaves the task behind", async () => {
    const { id, workerId, task } = await polledTask("eventful");
    await between();
    expect(await post(workerId, eventOf(task, "stream_started", { url: "rtmp://x" }))).toMatchObject({
      status: 200,
      body: { status: "event_accepted" },
    });
    await expectJob(id, { status: "finished", current_state: "begun", result: "rtmp://x" });
    await between();
    expect((await postResult(workerId, resultOf(task))).body).toMatchObject({ status: "ignored" });
  });

  test("without a transition is noted and moves nothing", async () => {
    const { id, workerId, task } = await polledTask("eventful");
    await between();
    expect((await post(workerId, eventOf(task, "warming_up", {}))).status).toBe(200);
    expect(await viewJob(id)).toMatchObject({ status: "waiting_for_worker" });
    await postResult(workerId, resultOf(task));
    await expectJob(id, { status: "finished", current_state: "done" });
  });

  test("comes over the socket as well, in either generation's form", async () => {
    const type = unique();
    const worker = await socketWorker([type], { slots: 2 });
    const [first, second] = [await createJob("eventful", { type }), await createJob("eventful", { type })];
    const tasks = [await worker.task(), await worker.task()];
    await between();
    for (const [i, task] of tasks.entries()) {
      const event = eventOf(task, "stream_started", { url: `rtmp://${i}` });
      worker.send(i === 0 ? { type: "event", ...event } : event);
    }
    await expectJob(first, { status: "finished", result: "rtmp://0" });
    await expectJob(second, { status: "finished", result: "rtmp://1" });
  });

  test("over the socket is acknowledged by its id: taken once, or refused and why", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("eventful", { type });
    const task = await worker.task();
    await between();
    const event = eventOf(task, "stream_started", { url: "rtmp://x" }, "the-event");
    for (const _time of [1, 2]) {
      worker.send({ type: "event", ...event });
      expect(await worker.next("event_ack")).toEqual({
        type: "event_ack",
        event_id: "the-event",
        status: "event_accepted",
      });
    }
    worker.send({ type: "event", ...eventOf(task, "progress", { progress: 4 }, "refused") });
    expect(await worker.next("event_ack")).toMatchObject({ event_id: "refused", status: "error" });
    await expectJob(id, { status: "finished", result: "rtmp://x" });
  });
});

describe.each(WAYS)("a worker that does not have the task, %s,", (_, between) => {
  const stranger = async () => {
    const workerId = unique();
    await register(workerId, { supported_tasks: [unique()] });
    return workerId;
  };

  test("moves its job on by no event, and says nothing of its progress", async () => {
    const { id, task } = await polledTask("eventful");
    const other = await stranger();
    await between();
    for (const workerId of [other, unique()]) {
      expect((await post(workerId, eventOf(task, "stream_started", { url: "rtmp://x" }))).body).toEqual({
        status: "error",
        message: "The worker does not hold this task.",
      });
      expect((await post(workerId, eventOf(task, "progress", { progress: 0.9 }))).body).toMatchObject({
        status: "error",
      });
      const said = { worker_id: workerId, job_id: id, task_id: task.task_id, progress: 0.9 };
      expect((await call("POST", "/_worker/tasks/progress", { headers: WORKER, json: said })).body).toMatchObject({
        status: "ignored",
        reason: "worker_mismatch",
      });
    }
    expect(await viewJob(id)).toMatchObject({ status: "waiting_for_worker", progress: null });
  });

  test("does not by its socket either", async () => {
    const { id, task } = await polledTask("eventful");
    const worker = await socketWorker([unique()]);
    await between();
    const { job_id, task_id } = task;
    worker.send({ type: "progress_update", job_id, task_id, progress: 0.9 });
    worker.send({ type: "event", ...eventOf(task, "stream_started", { url: "rtmp://x" }, "strange") });
    expect(await worker.next("event_ack")).toMatchObject({ event_id: "strange", status: "error" });
    expect(await viewJob(id)).toMatchObject({ status: "waiting_for_worker", progress: null });
  });
});

test("an event whose answer was lost is taken as known, though the task is not with its worker any more", async () => {
  const { id, workerId, task } = await polledTask("eventful");
  const event = eventOf(task, "stream_started", { url: "rtmp://x" });
  for (const _time of [1, 2]) expect((await post(workerId, event)).body).toEqual({ status: "event_accepted" });
  await expectJob(id, { status: "finished", result: "rtmp://x" });
});

test.each(WAYS)("a progress event is the task's progress, %s", async (_, between) => {
  const { id, workerId, task } = await polledTask("eventful");
  expect((await post(workerId, eventOf(task, "progress", { progress: 0.4, message: "frames" }))).status).toBe(200);
  await between();
  expect(await viewJob(id)).toMatchObject({ progress: 0.4, progress_message: "frames" });
  expect((await post(workerId, eventOf(task, "progress", { progress: 4 }))).body).toMatchObject({ status: "error" });
});
