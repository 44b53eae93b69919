import { evictDurableObject } from "cloudflare:test";
import { describe, expect, test } from "vitest";
import { createJob, eventually, expectJob, unique, viewJob } from "../support/workerd-api.ts";
import { atRealTime, jobAlarm, pass, shardAlarm, WAYS } from "../support/workerd-clock.ts";
import { shard, whereabouts } from "../support/workerd-objects.ts";
import { openSocket, register, socketWorker } from "../support/workerd-worker.ts";

const GRACE_MS = 10_000;
const LEASE_MS = 60_000;

/** A job whose one task a worker holds. */
async function handedOver() {
  const type = unique();
  const worker = await socketWorker([type]);
  const id = await createJob("one-task", { type });
  return { id, type, worker, task: await worker.task() };
}

describe.each(WAYS)("a worker's socket, %s,", (_, between) => {
  test("that closes gives the worker a grace, then its task goes to another", async () => {
    const { id, type, worker, task } = await handedOver();
    const other = await socketWorker([type]);
    await between();
    await worker.close();
    await between();
    await shardAlarm(GRACE_MS - 1_000);
    expect(await whereabouts(task)).toMatchObject({ is: "held" });
    await between();
    expect(await shardAlarm(1_000)).toBe(true);
    const again = await other.task();
    expect(again).toMatchObject({ task_id: task.task_id, attempt: 2 });
    expect(again.lease).not.toBe(task.lease);
    await between();
    await other.result(again);
    await expectJob(id, { status: "finished" });
  });

  test("may break and come back within the grace: the worker keeps what it says it holds", async () => {
    const { id, type, worker, task } = await handedOver();
    await between();
    await worker.close();
    await between();
    const back = await openSocket(worker.workerId);
    await between();
    expect(await back.hello([type], { holding: [task] })).toMatchObject({ current_tasks: [task.task_id] });
    await between();
    await shardAlarm(GRACE_MS);
    expect(await back.result(task, { data: { n: 1 } })).toMatchObject({ status: "result_accepted_success" });
    await expectJob(id, { status: "finished", result: { n: 1 } });
  });

  test("may come back after its lease was given up; the worker is told that the task is not its own any more", async () => {
    const { id, type, worker, task } = await handedOver();
    await worker.close();
    await between();
    await shardAlarm(GRACE_MS);
    await expectJob(id, { current_task_info: { attempt: 2 } });
    await between();
    const back = await openSocket(worker.workerId);
    expect(await back.hello([type], { holding: [task] })).toMatchObject({ current_tasks: [] });
    const again = await back.task();
    expect(again.attempt).toBe(2);
    await between();
    expect(await back.result(task)).toMatchObject({ status: "ignored", reason: "stale_task" });
    await back.result(again);
    await expectJob(id, { status: "finished" });
  });

  test("that comes back without its task has it offered again at once", async () => {
    const { id, type, worker, task } = await handedOver();
    await between();
    await worker.close();
    await between();
    const back = await openSocket(worker.workerId);
    await back.hello([type], { slots: 2 });
    expect(await shardAlarm()).toBe(true);
    const again = await back.task();
    expect(again).toMatchObject({ task_id: task.task_id, attempt: 2 });
    await between();
    await back.result(again);
    await expectJob(id, { status: "finished" });
  });

  test("is closed with 1008 when the worker opens another, which takes the lease over", async () => {
    const { id, type, worker, task } = await handedOver();
    await between();
    const second = await openSocket(worker.workerId);
    expect(await worker.closed).toEqual({ code: 1008, reason: "New connection established" });
    await between();
    expect(await second.hello([type], { holding: [task] })).toMatchObject({ current_tasks: [task.task_id] });
    await between();
    expect(await second.result(task)).toMatchObject({ status: "result_accepted_success" });
    await expectJob(id, { status: "finished" });
    const next = await createJob("one-task", { type });
    expect(await second.task()).toMatchObject({ job_id: next });
  });

  test("may change how many tasks it takes at once, down to none", async () => {
    const { id, type, worker, task } = await handedOver();
    worker.send({ type: "state", slots: 0 });
    expect(await worker.rest()).toEqual([]);
    await between();
    const second = await createJob("one-task", { type });
    const third = await createJob("one-task", { type });
    for (const job of [second, third]) {
      await eventually(() => whereabouts({ ...task, job_id: job, task_id: `${job}-1` })).toEqual({ is: "waiting" });
    }
    await worker.result(task);
    await expectJob(id, { status: "finished" });
    await between();
    expect(await worker.rest()).toEqual([]);
    worker.send({ type: "state", slots: 1 });
    expect(await worker.task()).toMatchObject({ job_id: second });
    await between();
    expect(await worker.rest()).toEqual([]);
    worker.send({ type: "state", slots: 2 });
    expect(await worker.task()).toMatchObject({ job_id: third });
  });

  test("takes nothing new once it drains; what the worker holds it may finish", async () => {
    const { id, type, worker, task } = await handedOver();
    worker.send({ type: "drain" });
    expect(await worker.rest()).toEqual([]);
    await between();
    const later = await createJob("one-task", { type });
    await eventually(() => whereabouts({ ...task, job_id: later, task_id: `${later}-1` })).toEqual({ is: "waiting" });
    expect(await worker.result(task)).toMatchObject({ status: "result_accepted_success" });
    await expectJob(id, { status: "finished" });
    await between();
    expect(await worker.rest()).toEqual([]);
    const other = await socketWorker([type]);
    expect(await other.task()).toMatchObject({ job_id: later });
  });

  test.each(["worker", "poll"])(
    "belongs to its worker also when that is called %s, as a kind of line is",
    async (workerId) => {
      const type = unique();
      const worker = await socketWorker([type], { workerId });
      await between();
      const id = await createJob("one-task", { type });
      expect(await worker.result(await worker.task())).toMatchObject({ status: "result_accepted_success" });
      await expectJob(id, { status: "finished" });
      await worker.close();
    },
  );

  test("answers ping without waking anything", async () => {
    const worker = await socketWorker([unique()]);
    await between();
    worker.send("ping");
    await worker.pong();
  });

  test("tells what is wrong with a frame and stays open", async () => {
    const worker = await openSocket(unique());
    await between();
    worker.send("{");
    expect(await worker.next("error")).toMatchObject({ code: "bad_frame", error: "The frame is not JSON." });
    worker.send({ type: "result", job_id: "no spaces, please" });
    expect(await worker.next("error")).toMatchObject({ code: "bad_frame", error: expect.stringContaining("job_id") });
    await between();
    worker.send({ type: "hello", slots: 1, supported_tasks: [] });
    expect(await worker.next("error")).toMatchObject({ code: "unknown_worker" });
    await register(worker.workerId);
    expect(await worker.hello([])).toMatchObject({ type: "welcome" });
  });

  test("is closed when its worker says more than can be kept with it, and others are not harmed", async () => {
    const type = unique();
    const [greedy, modest] = [await socketWorker([]), await socketWorker([type])];
    await between();
    greedy.send({ type: "hello", slots: 1, supported_tasks: Array.from({ length: 1_000 }, unique) });
    expect(await greedy.closed).toMatchObject({ code: 1009 });
    await between();
    const id = await createJob("one-task", { type });
    const task = await modest.task();
    await between();
    expect(await whereabouts(task)).toMatchObject({ is: "held" });
    expect(task.job_id).toBe(id);
  });

  test("tells clients how far the task is, in the words of older workers too", async () => {
    const { id, worker, task } = await handedOver();
    const { job_id, task_id } = task;
    worker.send({ event: "progress_update", job_id, task_id, progress: 0.5, message: "half" });
    await expectJob(id, { progress: 0.5, progress_message: "half" });
  });

  test("that closes after its worker has nothing to do leaves nothing behind", async () => {
    const { id, type, worker, task } = await handedOver();
    await worker.result(task);
    await between();
    await worker.close();
    await expectJob(id, { status: "finished" });
    const next = await createJob("one-task", { type });
    await between();
    const back = await openSocket(worker.workerId);
    await back.hello([type]);
    expect(await back.task()).toMatchObject({ job_id: next, attempt: 1 });
  });
});

describe.each(WAYS)("a silent socket, %s,", (_, between) => {
  test("loses its task when the job asks for it after a lease without a sign of life", async () => {
    const { id, worker } = await handedOver();
    const before = await viewJob(id);
    await between();
    await jobAlarm(id, LEASE_MS);
    expect(await worker.closed).toMatchObject({ code: 1011 });
    await expectJob(id, { status: before.status, current_task_info: { attempt: 2 } });
  });

  test("is not silent while frames of any kind come in", async () => {
    const { id, worker, task } = await handedOver();
    const { job_id, task_id } = task;
    pass(LEASE_MS - 1_000);
    worker.send({ type: "progress_update", job_id, task_id, progress: 0.5 });
    expect(await worker.rest()).toEqual([]);
    await between();
    await jobAlarm(id, 2_000);
    expect(await worker.result(task)).toMatchObject({ status: "result_accepted_success", attempt: 1 });
  });

  test("is not silent while its pings come in", async () => {
    const type = unique();
    const worker = await atRealTime(() => socketWorker([type]), { earlierMs: 2 * LEASE_MS });
    await between();
    await atRealTime(async () => {
      worker.send("ping");
      await worker.pong();
      const id = await createJob("one-task", { type });
      const task = await worker.task();
      await between();
      expect(await whereabouts(task)).toMatchObject({ is: "held" });
      expect(task.job_id).toBe(id);
    });
  });
});

describe("when a deploy drops all sockets,", () => {
  const deploy = () => evictDurableObject(shard(), { webSockets: "close" });

  test("a worker that comes back keeps what it holds", async () => {
    const { id, type, worker, task } = await handedOver();
    await deploy();
    await worker.closed;
    const back = await openSocket(worker.workerId);
    expect(await back.hello([type], { holding: [task] })).toMatchObject({ current_tasks: [task.task_id] });
    expect(await back.result(task)).toMatchObject({ status: "result_accepted_success", attempt: 1 });
    await expectJob(id, { status: "finished" });
  });

  test("the task of a worker that does not come back goes to another with the job's next check", async () => {
    const { id, type } = await handedOver();
    await deploy();
    expect(await jobAlarm(id, LEASE_MS)).toBe(true);
    const other = await socketWorker([type]);
    expect(await other.task()).toMatchObject({ job_id: id, attempt: 2 });
  });
});
