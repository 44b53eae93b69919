import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { JobEvent } from "../../src/history/events.ts";
import { writeHistory } from "../../src/history/projector.ts";
import { successRates } from "../../src/history/success-rates.ts";
import { sweep } from "../../src/sweep.ts";
import { ADMIN, call, createJob, eventually, expectJob, unique } from "../support/workerd-api.ts";
import { deliver, pass } from "../support/workerd-clock.ts";
import { socketWorker } from "../support/workerd-worker.ts";

const db = env.HISTORY_DB;
const NOW = Date.UTC(2026, 10, 22);
const DAY = 86_400_000;

/** Results of a worker, each of a job of its own. */
async function results(workerId: string, list: readonly Partial<JobEvent>[]): Promise<void> {
  await writeHistory(
    db,
    list.map((fields) => ({
      v: 1,
      job: {
        job_id: crypto.randomUUID(),
        client: "alice",
        blueprint: "photos",
        status: "finished",
        current_state: "done",
        created_at: NOW,
        updated_at: NOW,
        finished_at: NOW,
        blueprint_version: 1,
        error: null,
        parent_id: null,
      },
      events: [{ seq: 1, event_type: "task_finished", state: "s", at: NOW - DAY, worker_id: workerId, ...fields }],
    })),
  );
}

const FAILED = { error: "PERMANENT_ERROR: no" };

async function rateOf(workerId: string, over: Partial<Parameters<typeof successRates>[1]> = {}) {
  const { rates } = await successRates(db, { since: NOW - 30 * DAY, resets: [], from: unique(), ...over });
  return rates.get(workerId)?.rate;
}

describe("the success rate of a worker", () => {
  test("is the share of its results without an error", async () => {
    const workerId = unique();
    await results(workerId, [{}, {}, {}, FAILED]);
    expect(await rateOf(workerId)).toBe(0.75);
  });

  test("comes with the number of its results; who has none is missing", async () => {
    const workerId = unique();
    await results(workerId, [{}, {}]);
    const { rates, complete } = await successRates(db, { since: NOW - 30 * DAY, resets: [], from: unique() });
    expect([rates.get(workerId), rates.get(unique()), complete]).toEqual([{ rate: 1, results: 2 }, undefined, true]);
  });

  test("leaves out what was cancelled, bad input, other events, and what is older than asked for", async () => {
    const workerId = unique();
    await results(workerId, [
      {},
      FAILED,
      { context_snapshot: { outcome: "cancelled" } },
      { error: "INVALID_INPUT_ERROR: no such file" },
      { ...FAILED, event_type: "task_lost" },
      { ...FAILED, at: NOW - 31 * DAY },
    ]);
    expect(await rateOf(workerId)).toBe(0.5);
  });

  test("leaves out what came before its reset", async () => {
    const [workerId, other] = [unique(), unique()];
    await results(workerId, [FAILED, FAILED, { at: NOW }, { ...FAILED, at: NOW }]);
    await results(other, [FAILED]);
    const resets = [{ workerId, at: NOW - 1 }];
    expect([await rateOf(workerId, { resets }), await rateOf(other, { resets })]).toEqual([0.5, 0]);
  });

  test("is that of a sample when there is more history than is to be looked at", async () => {
    const workerId = unique();
    await results(
      workerId,
      Array.from({ length: 200 }, (_, n) => (n % 2 === 0 ? {} : FAILED)),
    );
    const { rates, complete } = await successRates(db, { since: 0, resets: [], from: unique(), maxRows: 150 });
    expect(complete).toBe(false);
    expect(rates.get(workerId)?.rate).toBeGreaterThan(0.2);
    expect(rates.get(workerId)?.rate).toBeLessThan(0.8);
  });
});

const workers = z.array(z.object({ worker_id: z.string(), reputation: z.number() }));

/** The hour's sweep that reviews, and those that do not. */
async function anHour(): Promise<void> {
  const from = Date.now();
  for (let at = from; at < from + 3_600_000; at += 600_000) await sweep(env, at);
}

test("once an hour the sweep brings reputations nearer to history; branches count, what was cancelled does not", async () => {
  const [type, other] = [unique(), unique()];
  const worker = await socketWorker([type, other], { slots: 4 });
  await createJob("fan-out", { type, count: 4 });
  for (let n = 0; n < 4; n += 1) {
    const failure = { status: "failure", error: { code: "PERMANENT_ERROR", message: "no" } };
    await worker.result(await worker.task(), n === 0 ? failure : { status: "success" });
  }
  const cancelled = await createJob("one-task", { type: other });
  await worker.result(await worker.task(), { status: "cancelled" });
  await expectJob(cancelled, { status: "cancelled" });
  await eventually(async () => {
    await deliver("history");
    return rateOf(worker.workerId, { since: 0 });
  }).toBe(0.75);
  const reputation = async () => {
    const { body } = await call("GET", "/api/v1/workers", { headers: ADMIN });
    return workers.parse(body).find(({ worker_id: id }) => id === worker.workerId)?.reputation;
  };
  expect(await reputation()).toBe(0.953);
  await anHour();
  expect(await reputation()).toBe(0.8109);
  await call("POST", `/api/v1/admin/workers/${worker.workerId}/reset-reputation`, { headers: ADMIN });
  pass(1);
  await anHour();
  expect(await reputation()).toBe(1);
});
