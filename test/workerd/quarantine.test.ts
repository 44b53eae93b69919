import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { fingerprint } from "../../src/history/fingerprint.ts";
import { ALICE, BOB, call, createJob, eventually, expectJob, unique } from "../support/workerd-api.ts";
import { deliver, jobAlarm, WAYS } from "../support/workerd-clock.ts";
import { makeUnreachable } from "../support/workerd-objects.ts";
import { socketWorker, type WorkerSocket } from "../support/workerd-worker.ts";

/** A word nobody else in this file uses and no fingerprint takes for an id. */
const word = () => unique().replaceAll(/[-\d]/g, (digit) => (digit === "-" ? "" : "ghijklmnop".charAt(Number(digit))));

const order = (what: "retry" | "discard", json: object, headers = ALICE) =>
  call("POST", `/api/v1/quarantine/${what}`, { headers, json });

/** Jobs of alice whose tasks failed for good with this message, as the list has them, and the worker of their tasks. */
async function quarantined(count: number, message = word()) {
  const type = unique();
  const worker = await socketWorker([type], { slots: count });
  const ids: string[] = [];
  for (let made = 0; made < count; made += 1) {
    const id = await createJob("one-task", { type });
    await worker.result(await worker.task(), { status: "failure", error: { code: "PERMANENT_ERROR", message } });
    await expectJob(id, { status: "quarantined" });
    ids.push(id);
  }
  const of = { fingerprint: fingerprint(`Task failed with permanent error: ${message}`) };
  await eventually(async () => {
    for (const id of ids) await jobAlarm(id, 2_000);
    await deliver("history");
    return shownIds(of.fingerprint);
  }).toHaveLength(count);
  return { ids, of, worker, message };
}

async function shownIds(of: string): Promise<string[]> {
  const { body } = await call("GET", `/api/v1/jobs/quarantined?fingerprint=${of}`, { headers: ALICE });
  return (body as { id: string }[]).map(({ id }) => id);
}

/** Takes the next tasks of these jobs and ends them well. */
async function finish(worker: WorkerSocket, ids: readonly string[]): Promise<void> {
  for (const _ of ids) await worker.result(await worker.task());
  for (const id of ids) await expectJob(id, { status: "finished" });
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("an order", () => {
  test.each([
    ["an empty filter", { filter: {}, mode: "run" }, "filter"],
    ["no filter", { mode: "run" }, "filter"],
    ["all and something else", { filter: { all: true, state: "work" }, mode: "run" }, "filter"],
    ["no mode", { filter: { all: true } }, "mode"],
    ["an unknown mode", { filter: { all: true }, mode: "now" }, "mode"],
    ["a limit over 100", { filter: { all: true }, mode: "run", limit: 101 }, "limit"],
    ["more than 100 ids", { filter: { job_ids: Array.from({ length: 101 }, unique) }, mode: "run" }, "filter.job_ids"],
    ["an unknown member", { filter: { colour: "red" }, mode: "run" }, "filter"],
  ])("with %s is answered 400", async (_, json, path) => {
    for (const what of ["retry", "discard"] as const) {
      const answer = await order(what, json);
      expect(answer).toMatchObject({ status: 400, body: { code: "bad_request" } });
      expect(answer.body).toMatchObject({ details: expect.arrayContaining([expect.objectContaining({ path })]) });
    }
  });

  test("whose limit or cursor makes no sense is answered 400", async () => {
    for (const json of [
      { filter: { all: true }, mode: "run", cursor: "x" },
      { filter: { job_ids: [unique()] }, mode: "run", limit: 1 },
    ]) {
      expect(await order("discard", json)).toMatchObject({ status: 400, body: { code: "bad_request" } });
    }
    expect(await order("discard", { filter: { all: true }, mode: "run", state: "work" })).toMatchObject({
      status: 400,
    });
  });
});

describe.each(WAYS)("quarantined jobs, %s,", (_, between) => {
  test("are shown before anything is done, then one is tried, then the rest is retried", async () => {
    const { ids, of, worker } = await quarantined(4);
    await between();
    const preview = await order("retry", { filter: of, mode: "preview", limit: 3 });
    expect(preview).toMatchObject({ status: 200, body: { count: 4, job_ids: ids.toReversed().slice(0, 3) } });
    for (const id of ids) await expectJob(id, { status: "quarantined" });
    await between();
    const trial = await order("retry", { filter: of, mode: "trial", reason: "The disk is larger now." });
    expect(trial.body).toEqual({ done: [ids[3]], refused: [], remaining: 3 });
    await finish(worker, [ids[3] ?? ""]);
    for (const id of ids.slice(0, 3)) await expectJob(id, { status: "quarantined" });
    await between();
    // The list may still have the one that was tried: its object knows better.
    const run = await order("retry", { filter: of, mode: "run", state_history: { disk: 2 } });
    expect(run).toMatchObject({ status: 200, body: { done: ids.toReversed().slice(1), remaining: 0, cursor: null } });
    await finish(worker, ids.slice(0, 3));
    await expectJob(ids[0] ?? "", { state_history: { disk: 2 } });
  });

  test("of which there are many are done in several requests, each of which goes on where the last one ended", async () => {
    const { ids, of, worker } = await quarantined(5);
    const done: string[] = [];
    let cursor: string | null = null;
    const remaining: number[] = [];
    do {
      const answer = await order("retry", { filter: of, mode: "run", limit: 2, cursor });
      const body = answer.body as { done: string[]; refused: unknown[]; remaining: number; cursor: string | null };
      expect(body.refused).toEqual([]);
      done.push(...body.done);
      remaining.push(body.remaining);
      cursor = body.cursor;
      await between();
    } while (cursor !== null);
    expect(remaining).toEqual([3, 1, 0]);
    expect(done).toEqual(ids.toReversed());
    await finish(worker, ids);
  });

  test("are discarded, and those that are no longer quarantined are reported, not discarded", async () => {
    const { ids, of, worker } = await quarantined(3);
    const [first = "", second = "", third = ""] = ids;
    await call("POST", `/api/v1/jobs/${second}/retry`, { headers: ALICE });
    await between();
    expect(await order("discard", { filter: of, mode: "run" })).toMatchObject({
      status: 200,
      body: {
        done: [third, first],
        refused: [{ job_id: second, code: "conflict", error: expect.any(String) }],
        remaining: 0,
        cursor: null,
      },
    });
    for (const id of [first, third]) await expectJob(id, { status: "cancelled" });
    await finish(worker, [second]);
    await eventually(async () => {
      for (const id of ids) await jobAlarm(id, 2_000);
      await deliver("history");
      return shownIds(of.fingerprint);
    }).toEqual([]);
  });

  test("are tried with the first that lets itself be tried", async () => {
    const { ids, of, worker } = await quarantined(3);
    const [first = "", second = "", third = ""] = ids;
    await call("POST", `/api/v1/jobs/${third}/retry`, { headers: ALICE });
    await between();
    expect(await order("retry", { filter: of, mode: "trial" })).toMatchObject({
      body: { done: [second], refused: [{ job_id: third, code: "conflict" }], remaining: 1 },
    });
    await finish(worker, [third, second]);
    await expectJob(first, { status: "quarantined" });
  });

  test("are asked themselves when they are named, whatever the list says; others' are unknown", async () => {
    const { ids, worker } = await quarantined(2);
    const [first = "", second = ""] = ids;
    const running = await createJob("one-task", { type: unique() });
    await env.HISTORY_DB.prepare("DELETE FROM jobs WHERE job_id = ?").bind(first).run();
    await between();
    const job_ids = [first, running, second, first];
    expect(await order("retry", { filter: { job_ids }, mode: "run" }, BOB)).toMatchObject({
      body: { done: [], refused: [first, running, second].map((job_id) => ({ job_id, code: "job_not_found" })) },
    });
    expect(await order("retry", { filter: { job_ids }, mode: "preview" })).toMatchObject({
      body: { count: 1, job_ids: [second] },
    });
    expect(await order("retry", { filter: { job_ids }, mode: "run" })).toMatchObject({
      body: { done: [first, second], refused: [{ job_id: running, code: "conflict" }], remaining: 0, cursor: null },
    });
    await finish(worker, ids);
  });

  test("whose object is away are reported, and the others are done", async () => {
    const { ids, of, worker } = await quarantined(2);
    const [first = "", second = ""] = ids;
    await between();
    makeUnreachable(first);
    expect(await order("retry", { filter: of, mode: "run" })).toMatchObject({
      body: { done: [second], refused: [{ job_id: first, code: "internal" }], remaining: 0 },
    });
    vi.restoreAllMocks();
    await finish(worker, [second]);
    await expectJob(first, { status: "quarantined" });
  });
});

test("all of a client's quarantine is meant only when it says so", async () => {
  const { ids, worker } = await quarantined(1);
  const preview = await order("retry", { filter: { all: true }, mode: "preview" });
  expect(preview.body).toMatchObject({ job_ids: expect.arrayContaining(ids) });
  expect((await order("retry", { filter: { all: true }, mode: "preview" }, BOB)).body).toEqual({
    count: 0,
    job_ids: [],
  });
  await worker.close();
});
