import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { RegistryShard } from "../../src/index.ts";
import { ALICE, call, createJob, eventually, expectJob, unique } from "../support/workerd-api.ts";
import { deliver, jobAlarm, WAYS } from "../support/workerd-clock.ts";
import { startMeter } from "../support/workerd-meter.ts";
import { jobObject, makeUnreachable, shard, shardRows, whereabouts } from "../support/workerd-objects.ts";
import { socketWorker } from "../support/workerd-worker.ts";

const LEASE_MS = 60_000;
/** When a job first tells a shard again what that did not hear. */
const SOON_MS = 5_000;

afterEach(() => {
  vi.restoreAllMocks();
});

const cancel = (id: string) => call("POST", `/api/v1/jobs/${id}/cancel`, { headers: ALICE });

describe.each(WAYS)("a job that lets go of a task while the shard is away, %s,", (_, between) => {
  test("tells it once it is back: nobody gets the task that waited there", async () => {
    const type = unique();
    const id = await createJob("one-task", { type });
    await eventually(() => shardRows("waiting", id)).toBe(1);
    makeUnreachable("shard-0");
    await cancel(id);
    await expectJob(id, { status: "cancelled" });
    await between();
    await jobAlarm(id, SOON_MS);
    vi.restoreAllMocks();
    expect(await shardRows("waiting", id)).toBe(1);
    await between();
    expect(await jobAlarm(id, 2 * SOON_MS)).toBe(true);
    expect(await shardRows("waiting", id)).toBe(0);
    const worker = await socketWorker([type]);
    expect(await worker.rest()).toEqual([]);
    // It has nothing more to do but to go to the archive.
    await between();
    expect(await jobAlarm(id, LEASE_MS)).toBe(false);
  });

  test("has the worker told that has it", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("one-task", { type });
    const task = await worker.task();
    makeUnreachable("shard-0");
    await cancel(id);
    await expectJob(id, { status: "cancelled" });
    vi.restoreAllMocks();
    await between();
    expect(await worker.rest()).toEqual([]);
    await jobAlarm(id, SOON_MS);
    expect(await worker.next("cancel_task")).toMatchObject({ job_id: id, task_id: task.task_id });
    const next = await createJob("one-task", { type });
    expect(await worker.task()).toMatchObject({ job_id: next });
  });

  test("has its offer refused that is still in the dispatch queue", async () => {
    const type = unique();
    makeUnreachable("shard-0");
    const id = await createJob("one-task", { type });
    await cancel(id);
    await expectJob(id, { status: "cancelled" });
    vi.restoreAllMocks();
    await between();
    await jobAlarm(id, SOON_MS);
    await between();
    const worker = await socketWorker([type]);
    const offer = vi.spyOn(RegistryShard.prototype, "offer");
    await deliver("dispatch", LEASE_MS);
    expect(offer.mock.calls.flatMap(([offers]) => offers).map(({ jobId }) => jobId)).toContain(id);
    expect(await worker.rest()).toEqual([]);
    expect(await shardRows("waiting", id)).toBe(0);
  });

  test("because its time is over tells it, too", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("limited", { type, resultTimeoutSeconds: 30, handled: false });
    await worker.task();
    makeUnreachable("shard-0");
    await jobAlarm(id, 31_000);
    await expectJob(id, { status: "failed" });
    vi.restoreAllMocks();
    await between();
    expect(await worker.rest()).toEqual([]);
    await jobAlarm(id, LEASE_MS);
    expect(await worker.next("cancel_task")).toMatchObject({ job_id: id });
  });

  test("because it was moved by hand tells it, too", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("signals", { type });
    await worker.task();
    makeUnreachable("shard-0");
    const asked = { do: "move", state: "listen", reason: "skip the work" } as const;
    await jobObject(id).command("alice", "client:alice", asked);
    await expectJob(id, { status: "waiting_for_event" });
    vi.restoreAllMocks();
    await between();
    expect(await jobAlarm(id, LEASE_MS)).toBe(true);
    expect(await worker.next("cancel_task")).toMatchObject({ job_id: id });
  });
});

describe.each(WAYS)("a job that is paused while the shard is away, %s,", (_, between) => {
  test("takes its task back once the shard is there again", async () => {
    const type = unique();
    const id = await createJob("one-task", { type });
    await eventually(() => shardRows("waiting", id)).toBe(1);
    makeUnreachable("shard-0");
    const command = (asked: { do: "pause" | "resume"; reason: string }) =>
      jobObject(id).command("alice", "client:alice", asked);
    expect(await command({ do: "pause", reason: "wait" })).toMatchObject({ ok: true });
    await jobAlarm(id, LEASE_MS);
    vi.restoreAllMocks();
    await between();
    expect(await jobAlarm(id, LEASE_MS)).toBe(true);
    expect(await shardRows("waiting", id)).toBe(0);
    const worker = await socketWorker([type]);
    expect(await worker.rest()).toEqual([]);
    await command({ do: "resume", reason: "go" });
    await worker.result(await worker.task());
    await expectJob(id, { status: "finished" });
  });
});

test("a job whose object dies between its cancel and the word to the shard tells it afterwards", async () => {
  const type = unique();
  const id = await createJob("one-task", { type });
  await eventually(() => shardRows("waiting", id)).toBe(1);
  // As if the call had been lost with the object's life.
  const release = vi.spyOn(RegistryShard.prototype, "release").mockImplementationOnce(() => {
    throw new Error("lost");
  });
  await cancel(id);
  expect(release).toHaveBeenCalledTimes(1);
  for (const [, between] of WAYS) await between();
  expect(await jobAlarm(id, LEASE_MS)).toBe(true);
  expect(await shardRows("waiting", id)).toBe(0);
});

test("to let go of a task costs no row more when the shard answers", async () => {
  const type = unique();
  const id = await createJob("one-task", { type });
  await eventually(() => shardRows("waiting", id)).toBe(1);
  await jobAlarm(id, 1_000);
  const meter = await startMeter();
  await cancel(id);
  await expectJob(id, { status: "cancelled" });
  await eventually(() => meter.calls).toContain("history");
  const job = env.JOBS.get(env.JOBS.idFromName(id));
  const { rows, setAlarms } = await meter.writtenBy(job);
  // Its cancel, its end, and the alarm of the archive.
  expect({ rows, setAlarms }).toEqual({ rows: 2, setAlarms: 1 });
  expect(await shard().locate([{ jobId: id, taskId: `${id}-1`, attempt: 1 }])).toEqual([{ is: "unknown" }]);
});

test("a shard that does not know a task is told once", async () => {
  const type = unique();
  const worker = await socketWorker([type]);
  const id = await createJob("one-task", { type });
  const task = await worker.task();
  const release = vi.spyOn(RegistryShard.prototype, "release");
  await cancel(id);
  await worker.result(task, { status: "cancelled" });
  await expectJob(id, { status: "cancelled" });
  await jobAlarm(id, LEASE_MS);
  expect(release).toHaveBeenCalledTimes(1);
  expect(await whereabouts(task)).toEqual({ is: "unknown" });
});
