import { env } from "cloudflare:workers";
import { describe, expect, test, vi } from "vitest";
import { z } from "zod";
import {
  ADMIN,
  ALICE,
  call,
  createJob,
  eventually,
  expectJob,
  unique,
  viewJob,
  WORKER,
} from "../support/workerd-api.ts";
import { deliver, pass, shardAlarm, WAYS } from "../support/workerd-clock.ts";
import { makeUnreachable, shard, shardRows } from "../support/workerd-objects.ts";
import {
  openSocket,
  poll,
  polledTask,
  postResult,
  register,
  resultOf,
  socketWorker,
  waitForPoll,
} from "../support/workerd-worker.ts";

const TTL_MS = 120_000;

const ask = (path: string, json?: object) => call("POST", `/api/v1/admin/${path}`, { headers: ADMIN, json });
const drainOf = (workerId: string, json?: object) => ask(`workers/${workerId}/drain`, json);
const heartbeat = (workerId: string, json: object) =>
  call("PATCH", `/_worker/workers/${workerId}`, { headers: WORKER, json });

const listed = z.array(z.looseObject({ worker_id: z.string() }));

/** The worker as operators see it. */
async function seen(workerId: string) {
  const { body } = await call("GET", "/api/v1/workers", { headers: ADMIN });
  return listed.parse(body).find((worker) => worker.worker_id === workerId);
}

const history = z.array(z.looseObject({ event_type: z.string(), error: z.string().nullable() }));

async function lossesOf(id: string): Promise<(string | null)[]> {
  await deliver("history");
  const { body } = await call("GET", `/api/v1/jobs/${id}/history`, { headers: ALICE });
  return history.parse(body).flatMap(({ event_type: type, error }) => (type === "task_lost" ? [error] : []));
}

/** What history has of a worker, by the kind of event. */
async function eventsOf(workerId: string) {
  await deliver("history");
  const sql =
    "SELECT event_type, worker_info_snapshot AS said FROM worker_events WHERE worker_id = ? ORDER BY created_at";
  const { results } = await env.HISTORY_DB.prepare(sql).bind(workerId).all<{ event_type: string; said: string }>();
  return Object.fromEntries(results.map(({ event_type, said }) => [event_type, JSON.parse(said)]));
}

const waits = (id: string) => eventually(() => shardRows("waiting", id)).toBe(1);
const failure = (code: string) => ({ status: "failure", error: { code, message: "no" } });

describe.each(WAYS)("a drained worker, %s,", (_, between) => {
  test("finishes what it has, takes nothing new, and takes what waits once it is undrained", async () => {
    const type = unique();
    const worker = await socketWorker([type], { slots: 2 });
    const first = await createJob("one-task", { type });
    const task = await worker.task();
    expect(await drainOf(worker.workerId, { reason: "new disk" })).toMatchObject({
      status: 200,
      body: { held_tasks: 1, takes_nothing_because: "is draining: new disk", drain: { deadline: null } },
    });
    expect(await worker.next("drain")).toEqual({ type: "drain", command: "drain" });
    await between();
    const second = await createJob("one-task", { type });
    await waits(second);
    await between();
    await worker.result(task);
    await expectJob(first, { status: "finished" });
    await between();
    expect(await ask(`workers/${worker.workerId}/undrain`)).toMatchObject({
      status: 200,
      body: { drain: null, takes_nothing_because: null },
    });
    expect(await worker.next("command")).toMatchObject({ command: "undrain" });
    expect(await worker.task()).toMatchObject({ job_id: second });
  });

  test("stays drained when it registers and connects anew, and is told so again", async () => {
    const [type, workerId] = [unique(), unique()];
    await register(workerId, { supported_tasks: [type] });
    await drainOf(workerId, { deadline_seconds: 60 });
    await between();
    const worker = await socketWorker([type], { workerId });
    expect(await worker.next("drain")).toMatchObject({ deadline: expect.any(Number) });
    const id = await createJob("one-task", { type });
    await waits(id);
    await between();
    await heartbeat(workerId, { status: "idle" });
    expect(await seen(workerId)).toMatchObject({ takes_nothing_because: "is draining", connected: true });
    expect(await worker.rest()).toEqual([]);
  });

  test("gives up at the deadline what it still holds, with the reason in the job's history", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("one-task", { type });
    const task = await worker.task();
    await drainOf(worker.workerId, { deadline_seconds: 90, reason: "new disk" });
    const other = await socketWorker([type]);
    await between();
    expect(await shardAlarm(80_000)).toBe(false);
    await heartbeat(worker.workerId, {});
    expect(await shardAlarm(10_000)).toBe(true);
    expect(await worker.next("cancel_task")).toMatchObject({ task_id: task.task_id });
    const again = await other.task();
    expect(again).toMatchObject({ task_id: task.task_id, attempt: 2 });
    await between();
    expect(await worker.result(task)).toMatchObject({ status: "ignored", reason: "stale_task" });
    await other.result(again);
    await expectJob(id, { status: "finished" });
    await eventually(() => lossesOf(id)).toEqual(["The worker was drained, and its time to finish was over. new disk"]);
  });

  test("that polls gets 204s, and hears of what it gave up with its heartbeat", async () => {
    const [type, workerId] = [unique(), unique()];
    await register(workerId, { supported_tasks: [type] });
    const id = await createJob("one-task", { type });
    const task = await poll(workerId);
    await drainOf(workerId, { deadline_seconds: 0 });
    await between();
    expect(await shardAlarm()).toBe(true);
    await waits(id);
    expect(await poll(workerId, 0.05)).toBeNull();
    expect((await heartbeat(workerId, { current_tasks: [task?.task_id] })).body).toMatchObject({
      cancel_task_ids: [task?.task_id],
    });
  });
});

test("a drained worker that is away and forgotten can be undrained", async () => {
  const [workerId, type] = [unique(), unique()];
  await register(workerId, { supported_tasks: [type] });
  await drainOf(workerId);
  const other = unique();
  await register(other, { supported_tasks: [type] });
  await createJob("one-task", { type });
  await poll(other);
  await shardAlarm(TTL_MS);
  expect(await seen(workerId)).toBeUndefined();
  expect(await ask(`workers/${workerId}/undrain`)).toMatchObject({ status: 200, body: { drain: null, live: false } });
  expect(await shardRows("standings", workerId)).toBe(0);
});

describe.each(WAYS)("a worker that says of itself, %s,", (_, between) => {
  test.each(["draining", "offline"])("that it is %s gets nothing until it says otherwise", async (status) => {
    const [type, workerId] = [unique(), unique()];
    await register(workerId, { supported_tasks: [type] });
    await heartbeat(workerId, { status });
    const polled = poll(workerId);
    await waitForPoll(workerId);
    const id = await createJob("one-task", { type });
    await waits(id);
    await between();
    expect(await seen(workerId)).toMatchObject({ takes_nothing_because: `status is ${status}` });
    await heartbeat(workerId, { status: "idle" });
    expect(await polled).toMatchObject({ job_id: id });
  });
});

test("a drain without a worker, by someone else, or with a body that is none is refused", async () => {
  expect(await drainOf(unique())).toMatchObject({ status: 404, body: { code: "worker_not_found" } });
  expect((await call("POST", `/api/v1/admin/workers/${unique()}/drain`, { headers: ALICE })).status).toBe(403);
  expect((await call("GET", "/api/v1/admin/shards", { headers: ALICE })).status).toBe(403);
  const workerId = unique();
  await register(workerId);
  for (const json of [{ deadline_seconds: -1 }, { deadline_seconds: "soon" }, { reason: "" }, { until: 5 }]) {
    expect(await drainOf(workerId, json)).toMatchObject({ status: 400, body: { code: "bad_request" } });
  }
});

describe.each(WAYS)("a reputation, %s,", (_, between) => {
  test("falls with each failure of the worker's own, and below the threshold the worker gets nothing", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    for (let n = 0; n < 4; n += 1) {
      const id = await createJob("one-task", { type });
      await worker.result(await worker.task(), failure("CONTRACT_VIOLATION_ERROR"));
      await expectJob(id, { status: "quarantined" });
      await between();
    }
    expect(await seen(worker.workerId)).toMatchObject({
      reputation: 0.2,
      reputation_reason: expect.stringMatching(/^task .*: CONTRACT_VIOLATION_ERROR$/),
      takes_nothing_because: "reputation 0.2 < 0.3",
    });
    const id = await createJob("one-task", { type });
    await waits(id);
    // Its own word does not count.
    await heartbeat(worker.workerId, { reputation: 1 });
    await register(worker.workerId, { supported_tasks: [type], reputation: 1 });
    await between();
    expect(await seen(worker.workerId)).toMatchObject({ reputation: 0.2 });
    expect(await ask(`workers/${worker.workerId}/reset-reputation`)).toMatchObject({
      status: 200,
      body: { reputation: 1, reputation_reason: "reset by admin", takes_nothing_because: null },
    });
    expect(await worker.task()).toMatchObject({ job_id: id });
  });

  test("is not touched by failures that may pass, bad input, or results that come too late", async () => {
    const { workerId, task } = await polledTask();
    await postResult(workerId, resultOf(task, failure("INVALID_INPUT_ERROR")));
    await between();
    expect((await postResult(workerId, resultOf(task, failure("PERMANENT_ERROR")))).body).toMatchObject({
      status: "ignored",
    });
    expect(await seen(workerId)).toMatchObject({ reputation: 1, reputation_changed_at: null });
  });

  test("is reviewed by what history says", async () => {
    const [workerId, elsewhere] = [unique(), unique()];
    await register(workerId);
    const rate = { rate: 0.5, results: 100 };
    await shard().reviewReputations(new Map([workerId, elsewhere].map((id) => [id, rate])), true);
    expect(await shardRows("standings", elsewhere)).toBe(0);
    await between();
    expect(await seen(workerId)).toMatchObject({
      reputation: 0.65,
      reputation_reason: "50 % of its tasks in 30 days succeeded",
    });
    expect((await heartbeat(workerId, { load: 1 })).body).toMatchObject({ reputation: 0.65 });
  });
});

test("what is done to a worker, and that it is forgotten, is in its history", async () => {
  const workerId = unique();
  await register(workerId);
  await drainOf(workerId, { reason: "new disk" });
  await ask(`workers/${workerId}/undrain`);
  await ask(`workers/${workerId}/reset-reputation`);
  await heartbeat(workerId, { load: 2 });
  await heartbeat(workerId, { status: "offline" });
  // Something whose end the shard has to notice.
  const other = unique();
  const type = unique();
  await register(other, { supported_tasks: [type] });
  await createJob("one-task", { type });
  await poll(other);
  await shardAlarm(TTL_MS);
  await eventually(() => eventsOf(workerId)).toMatchObject({
    registered: { worker_id: workerId },
    drained: { by: "admin", reason: "new disk" },
    undrained: { by: "admin" },
    reputation_reset: { by: "admin" },
    status_update: { worker_id: workerId, status: "offline" },
    expired: { worker_id: workerId },
  });
});

test("a worker that says more of itself than history keeps is in its history", async () => {
  const workerId = unique();
  await register(workerId, { notes: "n".repeat(120_000) });
  await eventually(() => eventsOf(workerId)).toMatchObject({
    registered: { omitted: expect.stringMatching(/^The worker said 120\d{3} bytes of itself; 119000 are kept\.$/) },
  });
});

describe.each(WAYS)("a command, %s,", (_, between) => {
  test("reaches the worker over its socket", async () => {
    const worker = await socketWorker([unique()]);
    await between();
    const path = `workers/${worker.workerId}/commands`;
    expect(await ask(path, { command: "purge_cache", params: { keep: 2 } })).toMatchObject({
      status: 202,
      body: { status: "sent" },
    });
    expect(await worker.next("command")).toEqual({ type: "command", command: "purge_cache", params: { keep: 2 } });
    await ask(path, { command: "update", params: { version: "2" } });
    expect(await worker.next("update")).toEqual({ type: "update", command: "update", version: "2" });
  });

  test("is refused when the worker cannot hear it, or the word is taken", async () => {
    const workerId = unique();
    expect(await ask(`workers/${workerId}/commands`, { command: "hi" })).toMatchObject({ status: 404 });
    await register(workerId);
    await between();
    expect(await ask(`workers/${workerId}/commands`, { command: "hi" })).toMatchObject({
      status: 409,
      body: { code: "conflict", error: expect.stringContaining("has no open WebSocket") },
    });
    for (const json of [{ command: "drain" }, { command: "cancel_task" }, { command: "" }, { command: "two words" }]) {
      expect(await ask(`workers/${workerId}/commands`, json)).toMatchObject({ status: 400 });
    }
  });
});

test("a welcome says how far to spread a reconnect", async () => {
  const workerId = unique();
  await register(workerId);
  const socket = await openSocket(workerId);
  expect((await socket.hello([])).reconnect_spread_ms).toBeGreaterThanOrEqual(500);
});

describe.each(WAYS)("a drained shard, %s,", (_, between) => {
  test("lets its workers finish, keeps what is offered, and hands over at the deadline", async () => {
    const type = unique();
    const worker = await socketWorker([type], { slots: 2 });
    const first = await createJob("one-task", { type });
    const task = await worker.task();
    expect(await ask("shards/shard-0/drain", { deadline_seconds: 30, reason: "move" })).toMatchObject({
      status: 200,
      body: { name: "shard-0", drain: { reason: "move" } },
    });
    await between();
    const second = await createJob("one-task", { type });
    await waits(second);
    expect((await call("GET", "/api/v1/admin/shards", { headers: ADMIN })).body).toMatchObject({
      shards: [{ name: "shard-0", drain: { reason: "move" } }],
    });
    expect(await seen(worker.workerId)).toMatchObject({ takes_nothing_because: "its shard is draining: move" });
    pass(30_000);
    await heartbeat(worker.workerId, {});
    expect(await shardAlarm()).toBe(true);
    expect(await worker.next("cancel_task")).toMatchObject({ task_id: task.task_id });
    await waits(first);
    await between();
    expect(await ask("shards/shard-0/undrain")).toMatchObject({ status: 200, body: { drain: null } });
    const jobs = [(await worker.task()).job_id, (await worker.task()).job_id];
    expect(jobs.toSorted()).toEqual([first, second].toSorted());
    expect(await viewJob(first)).toMatchObject({ status: "waiting_for_worker" });
  });

  test("is listed with its error when it is away", async () => {
    await between();
    makeUnreachable("shard-0");
    const { body } = await call("GET", "/api/v1/admin/shards", { headers: ADMIN });
    vi.restoreAllMocks();
    expect(body).toEqual({ shards: [{ name: "shard-0", error: "shard-0 is away." }] });
  });

  test("must be one that there is", async () => {
    await between();
    expect(await ask("shards/shard-9/drain")).toMatchObject({
      status: 404,
      body: { error: "There is no shard shard-9. There are: shard-0." },
    });
  });
});
