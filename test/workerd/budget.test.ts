import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { ALICE, call, createJob, eventually, unique } from "../support/workerd-api.ts";
import { startMeter } from "../support/workerd-meter.ts";
import { poll, postResult, register, resultOf, socketWorker, waitForPoll } from "../support/workerd-worker.ts";

/**
 * Rows the objects may write for one task over the socket, from create until the history is in its queue. A put or
 * delete of a key counts as one, like a row of an SQL statement, and so does each setAlarm.
 */
const ROWS = 4;
const DELETED_ALARMS = 1;

afterEach(() => {
  vi.restoreAllMocks();
});

/** The objects by their ids: the meter counts calls by name only, so looking at them costs nothing. */
const jobById = (id: string) => env.JOBS.get(env.JOBS.idFromName(id));
const shardById = () => env.REGISTRY.get(env.REGISTRY.idFromName("shard-0"));

type Meter = Awaited<ReturnType<typeof startMeter>>;

/** Waits until nothing of the job is left to do and prints what it took. */
async function bill(title: string, meter: Meter, id: string) {
  await eventually(() => meter.calls).toContain("history");
  // An ended job's alarm is early until its history is known to be in the queue, and then the archive's.
  const alarmAt = () => runInDurableObject(jobById(id), (_, { storage }) => storage.getAlarm());
  await eventually(alarmAt).toBeGreaterThan(Date.now() + 29 * 86_400_000);
  const [job, shard] = [await meter.writtenBy(jobById(id)), await meter.writtenBy(shardById())];
  const calls = meter.calls.map((name) => (name === id ? "job" : name));
  const lines = [
    `JobObject     ${JSON.stringify(job)}`,
    `RegistryShard ${JSON.stringify(shard)}`,
    `calls         ${calls.join(", ")}`,
  ];
  console.log([title, ...lines, `frames        ${meter.frames()}`].join("\n"));
  return { job, shard, calls };
}

/** A refused request, for what an isolate reads once, such as the deployment's settings, is no cost of a job. */
const warmUp = () => call("POST", "/api/v1/jobs/one-task", { headers: ALICE });

const queued = (meter: Meter) => meter.calls.filter((name) => name === "dispatch" || name === "history");

test("one task over the socket stays within its budget", async () => {
  const type = unique();
  const worker = await socketWorker([type]);
  await warmUp();
  const meter = await startMeter();

  const id = await createJob("one-task", { type });
  const task = await worker.task();
  expect(queued(meter)).toEqual([]);
  await worker.result(task, { data: { answer: 42 } });

  const { job, shard, calls } = await bill("one task over the socket", meter, id);
  expect(job.rows).toBeGreaterThan(0);
  expect(job.rows + job.setAlarms + shard.rows + shard.setAlarms).toBeLessThanOrEqual(ROWS);
  expect(job.deletedAlarms).toBeLessThanOrEqual(DELETED_ALARMS);
  expect(shard).toEqual({ rows: 0, setAlarms: 0, deletedAlarms: 0 });
  expect(calls).toEqual(["job", "shard-0", "job", "history"]);
  expect(meter.frames()).toBe(1);
});

test("a long poll costs three rows more: its lease comes, is watched by an alarm, and goes", async () => {
  const [type, workerId] = [unique(), unique()];
  await register(workerId, { supported_tasks: [type] });
  await warmUp();
  const polled = poll(workerId);
  await waitForPoll(workerId);
  const meter = await startMeter();

  const id = await createJob("one-task", { type });
  const task = await polled;
  expect(queued(meter)).toEqual([]);
  if (task !== null) await postResult(workerId, resultOf(task));

  const { job, shard } = await bill("one task over the long poll", meter, id);
  expect(job.rows + job.setAlarms).toBeLessThanOrEqual(ROWS);
  expect(shard).toEqual({ rows: 2, setAlarms: 1, deletedAlarms: 0 });
});
