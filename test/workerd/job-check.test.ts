import { abortAllDurableObjects, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { RegistryShard } from "../../src/index.ts";
import { createJob, eventually, expectJob, unique, viewJob } from "../support/workerd-api.ts";
import { deliver, jobAlarm, pass, shardAlarm, WAYS } from "../support/workerd-clock.ts";
import { jobObject, makeUnreachable, shard, shardRows } from "../support/workerd-objects.ts";
import { poll, postResult, register, resultOf, socketWorker } from "../support/workerd-worker.ts";

const LEASE_MS = 60_000;
const GRACE_MS = 10_000;

afterEach(() => {
  vi.restoreAllMocks();
});

/** The text of all messages in the dispatch queue. */
const queued = () =>
  runInDurableObject(env.LOCAL_QUEUES.getByName("dispatch"), (_, { storage }) =>
    JSON.stringify(storage.sql.exec("SELECT body FROM messages").toArray()),
  );

async function waitingJob() {
  const type = unique();
  const id = await createJob("one-task", { type });
  await eventually(() => shardRows("waiting", id)).toBe(1);
  return { id, type };
}

describe.each(WAYS)("a job's check, %s,", (_, between) => {
  test("leaves a task that waits where it is, however long", async () => {
    const { id, type } = await waitingJob();
    for (let checks = 0; checks < 5; checks += 1) {
      await between();
      expect(await jobAlarm(id, LEASE_MS)).toBe(true);
    }
    const worker = await socketWorker([type]);
    expect(await worker.task()).toMatchObject({ job_id: id, attempt: 1 });
  });

  test("offers a task anew that the registry has forgotten", async () => {
    const { id, type } = await waitingJob();
    await runInDurableObject(shard(), (_shard, { storage }) => {
      storage.sql.exec("DELETE FROM waiting WHERE task_id = ?", `${id}-1`);
    });
    await abortAllDurableObjects();
    await between();
    expect(await jobAlarm(id, LEASE_MS)).toBe(true);
    await between();
    const worker = await socketWorker([type]);
    const task = await worker.task();
    expect(task).toMatchObject({ job_id: id, attempt: 2 });
    await worker.result(task);
    await expectJob(id, { status: "finished" });
  });

  test("offers the forgotten branches of a fan-out anew and no others", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("fan-out", { type, count: 3 });
    const held = await worker.task();
    await runInDurableObject(shard(), (_shard, { storage }) => {
      storage.sql.exec("DELETE FROM waiting WHERE task_id = ?", `${id}-2`);
    });
    await abortAllDurableObjects();
    pass(LEASE_MS / 2);
    const back = await socketWorker([], { workerId: worker.workerId, holding: [held] });
    await between();
    expect(await jobAlarm(id, LEASE_MS / 2)).toBe(true);
    await back.result(held);
    await back.hello([type]);
    const attempts = new Map([[held.task_id, held.attempt]]);
    for (let n = 0; n < 2; n += 1) {
      const task = await back.task();
      attempts.set(task.task_id, task.attempt);
      await back.result(task);
    }
    expect(attempts).toEqual(new Map([1, 2, 3].map((number) => [`${id}-${number}`, number === 2 ? 2 : 1])));
    await expectJob(id, { status: "finished" });
  });

  test("that cannot reach the registry is made again later", async () => {
    const { id } = await waitingJob();
    makeUnreachable("shard-0");
    await between();
    expect(await jobAlarm(id, LEASE_MS)).toBe(true);
    vi.restoreAllMocks();
    expect(await jobAlarm(id, 1_000)).toBe(false);
    await between();
    expect(await jobAlarm(id, LEASE_MS)).toBe(true);
    expect(await viewJob(id)).toMatchObject({ status: "waiting_for_worker", current_task_info: { attempt: 1 } });
  });

  test("does not come again and again for other shards that were there before", async () => {
    const { id } = await waitingJob();
    await runInDurableObject(jobObject(id), (_job, { storage }) => {
      storage.kv.put("job", { ...storage.kv.get<object>("job"), spillAt: Date.now() });
    });
    await abortAllDurableObjects();
    expect(await jobAlarm(id, LEASE_MS)).toBe(true);
    await between();
    expect(await jobAlarm(id, LEASE_MS / 2)).toBe(false);
    expect(await jobAlarm(id, LEASE_MS / 2)).toBe(true);
  });

  test("does not come at once again while the history's queue is away", async () => {
    makeUnreachable("history");
    const { id } = await waitingJob();
    await between();
    expect(await jobAlarm(id, LEASE_MS)).toBe(true);
    expect(await jobAlarm(id, 1_000)).toBe(false);
  });

  test("ends a task that has run too long; its worker is told to stop", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("one-task", { type, seconds: 90 });
    const task = await worker.task();
    for (let ms = 0; ms < 80_000; ms += 40_000) {
      await between();
      await jobAlarm(id, 40_000);
      worker.send({ type: "progress_update", job_id: id, task_id: task.task_id, progress: 0.1 });
      expect(await worker.rest()).toEqual([]);
    }
    await between();
    expect(await viewJob(id)).toMatchObject({ status: "waiting_for_worker" });
    expect(await jobAlarm(id, 10_000)).toBe(true);
    expect(await worker.next("cancel_task")).toMatchObject({ task_id: task.task_id, job_id: id });
    await between();
    await expectJob(id, { status: "failed", error_message: expect.stringContaining("Worker task timed out") });
    expect(await worker.result(task)).toMatchObject({ status: "ignored", reason: "job_already_terminated" });
  });

  test("takes a task that keeps losing its workers for what stops them", async () => {
    const type = unique();
    const id = await createJob("one-task", { type });
    for (let losses = 0; losses < 6; losses += 1) {
      const worker = await socketWorker([type]);
      expect(await worker.task()).toMatchObject({ job_id: id, attempt: losses + 1 });
      await between();
      await worker.close();
      await between();
      expect(await shardAlarm(GRACE_MS)).toBe(true);
    }
    await expectJob(id, { status: "quarantined", error_message: expect.stringContaining("lost its worker 6 times") });
  });
});

describe.each(WAYS)("a job whose offer gets lost, %s,", (_, between) => {
  test("because the registry is away, comes through the dispatch queue", async () => {
    const type = unique();
    makeUnreachable("shard-0");
    const id = await createJob("one-task", { type });
    await eventually(queued).toContain(id);
    await between();
    vi.restoreAllMocks();
    const worker = await socketWorker([type]);
    pass(LEASE_MS / 2);
    await deliver("dispatch");
    const task = await worker.task();
    expect(task).toMatchObject({ job_id: id, attempt: 1 });
    await worker.result(task);
    await expectJob(id, { status: "finished" });
    expect(await queued()).not.toContain(id);
  });

  test("because registry and queue are away, is found by its own check", async () => {
    const [type, workerId] = [unique(), unique()];
    const tries = makeUnreachable("shard-0", "dispatch");
    const id = await createJob("one-task", { type });
    await eventually(() => tries.mock.calls.flat()).toContain("dispatch");
    vi.restoreAllMocks();
    await between();
    expect(await jobAlarm(id, LEASE_MS)).toBe(true);
    await between();
    await register(workerId, { supported_tasks: [type] });
    const task = await poll(workerId);
    expect(task).toMatchObject({ job_id: id, attempt: 2 });
    if (task !== null) await postResult(workerId, resultOf(task));
    await expectJob(id, { status: "finished" });
  });

  test("because everything stops after the commit, is found by its own check", async () => {
    const type = unique();
    const offer = vi.spyOn(RegistryShard.prototype, "offer").mockImplementation(() => new Promise(() => {}) as never);
    const id = await createJob("one-task", { type });
    await eventually(() => offer.mock.calls.length).toBe(1);
    await abortAllDurableObjects();
    offer.mockRestore();
    expect(await viewJob(id)).toMatchObject({ status: "waiting_for_worker" });
    await between();
    expect(await jobAlarm(id, LEASE_MS)).toBe(true);
    await between();
    pass(1_000);
    const worker = await socketWorker([type]);
    const task = await worker.task();
    expect(task).toMatchObject({ job_id: id, attempt: 2 });
    await worker.result(task);
    await expectJob(id, { status: "finished" });
  });
});
