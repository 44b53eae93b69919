import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, test, vi } from "vitest";
import { archiveKey } from "../../src/history/archive.ts";
import { sweep } from "../../src/sweep.ts";
import { ALICE, BOB, call, createJob, eventually, expectJob, unique, viewJob } from "../support/workerd-api.ts";
import { deliver, jobAlarm, WAYS } from "../support/workerd-clock.ts";
import { jobObject } from "../support/workerd-objects.ts";
import { socketWorker } from "../support/workerd-worker.ts";

const DAY_MS = 86_400_000;
const rowsOf = (id: string) => runInDurableObject(jobObject(id), (_, { storage }) => [...storage.kv.list()].length);
const alarmOf = (id: string) => runInDurableObject(jobObject(id), (_, { storage }) => storage.getAlarm());

async function endedJob(headers: Record<string, string> = ALICE): Promise<string> {
  const type = unique();
  const worker = await socketWorker([type]);
  const { body } = await call("POST", "/api/v1/jobs/one-task", { headers, json: { type } });
  const { job_id: id } = body as { job_id: string };
  await worker.result(await worker.task(), { data: { answer: 42 } });
  await expectJob(id, { status: "finished" });
  await eventually(() => alarmOf(id)).toBeGreaterThan(Date.now() + 29 * DAY_MS);
  return id;
}

describe.each(WAYS)("an ended job, %s,", (_, between) => {
  test("goes to the archive after its time, and reads the same from there", async () => {
    const id = await endedJob();
    const before = await viewJob(id);
    await between();
    expect(await jobAlarm(id, 29 * DAY_MS)).toBe(false);
    await between();
    expect(await jobAlarm(id, 2 * DAY_MS)).toBe(true);
    expect(await rowsOf(id)).toBe(0);
    expect(await alarmOf(id)).toBeNull();
    expect(await viewJob(id)).toEqual(before);
    expect((await call("GET", `/api/v1/jobs/${id}`, { headers: BOB })).status).toBe(404);
    expect(await call("POST", `/api/v1/jobs/${id}/cancel`, { headers: ALICE })).toMatchObject({
      status: 409,
      body: { error: expect.stringContaining("archive") },
    });
  });

  test("stays where it is while the archive is away, and goes there later", async () => {
    const id = await endedJob();
    await between();
    const put = vi.spyOn(Object.getPrototypeOf(env.PAYLOADS), "put").mockRejectedValue(new Error("R2 is away."));
    await jobAlarm(id, 31 * DAY_MS);
    put.mockRestore();
    expect(await viewJob(id)).toMatchObject({ status: "finished" });
    expect(await jobAlarm(id, 10_000)).toBe(true);
    expect(await rowsOf(id)).toBe(0);
  });
});

test("a create request that is repeated after its job was archived is still the same job", async () => {
  const headers = { ...ALICE, "Idempotency-Key": unique() };
  const type = unique();
  const worker = await socketWorker([type]);
  const send = (json: object) => call("POST", "/api/v1/jobs/one-task", { headers, json });
  const { job_id: id } = (await send({ type })).body as { job_id: string };
  await worker.result(await worker.task());
  await expectJob(id, { status: "finished" });
  await eventually(() => alarmOf(id)).toBeGreaterThan(Date.now() + 29 * DAY_MS);
  await jobAlarm(id, 31 * DAY_MS);
  expect(await rowsOf(id)).toBe(0);
  expect(await send({ type })).toMatchObject({ status: 202, body: { job_id: id } });
  expect(await send({ type, value: 1 })).toMatchObject({ status: 409 });
  expect(await rowsOf(id)).toBe(0);
});

test("a job in quarantine is kept until somebody has looked at it", async () => {
  const type = unique();
  const worker = await socketWorker([type]);
  const id = await createJob("one-task", { type });
  await worker.result(await worker.task(), { status: "failure", error: { code: "PERMANENT_ERROR", message: "no" } });
  await expectJob(id, { status: "quarantined" });
  await eventually(() => alarmOf(id)).toBeNull();
});

test("history and archive are pruned by age, a 256th of them at a time", async () => {
  const id = await endedJob();
  await deliver("history");
  const count = async (table: string) =>
    (
      await env.HISTORY_DB.prepare(`SELECT count(*) AS n FROM ${table} WHERE job_id = ?`)
        .bind(id)
        .first<{ n: number }>()
    )?.n;
  expect(await count("jobs")).toBe(1);
  await jobAlarm(id, 31 * DAY_MS);
  expect(await env.PAYLOADS?.head(archiveKey(id))).not.toBeNull();
  const sweepADay = async (from: number) => {
    for (let at = from; at < from + DAY_MS; at += 600_000) await sweep(env, at);
  };
  await sweepADay(Date.now());
  expect(await count("jobs")).toBe(1);
  await sweepADay(Date.now() + 60 * DAY_MS);
  expect([await count("jobs"), await count("job_events")]).toEqual([0, 0]);
  expect(await env.PAYLOADS?.head(archiveKey(id))).toBeNull();
});
