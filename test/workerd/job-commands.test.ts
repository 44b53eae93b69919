import { describe, expect, test } from "vitest";
import { MAX_REASON_CHARS } from "../../src/limits.ts";
import { ALICE, BOB, call, createJob, eventually, expectJob, unique, viewJob } from "../support/workerd-api.ts";
import { deliver, jobAlarm, WAYS } from "../support/workerd-clock.ts";
import { postResult, resultOf, socketWorker, type WorkerSocket } from "../support/workerd-worker.ts";

const PERMANENT = { status: "failure", error: { code: "PERMANENT_ERROR", message: "no such file" } };

/** Asks something of a job. */
function ask(id: string, what: string, json?: object, headers: Record<string, string> = ALICE) {
  return call("POST", `/api/v1/jobs/${id}/${what}`, { headers, ...(json === undefined ? {} : { json }) });
}

const patch = (id: string, json: object, headers = ALICE) => call("PATCH", `/api/v1/jobs/${id}`, { headers, json });

const refused = (status: number, code: string) => ({ status, body: { error: expect.any(String), code } });

/** A job with one task, and the worker that has it. */
async function jobAtWork(): Promise<{ id: string; worker: WorkerSocket }> {
  const type = unique();
  const worker = await socketWorker([type]);
  return { id: await createJob("one-task", { type }), worker };
}

/** A job whose task failed for good. */
async function quarantinedJob(): Promise<{ id: string; worker: WorkerSocket }> {
  const { id, worker } = await jobAtWork();
  await worker.result(await worker.task(), PERMANENT);
  await expectJob(id, { status: "quarantined", error_message: expect.stringContaining("no such file") });
  return { id, worker };
}

/** What the job's history says happened, with who did it and why. */
async function told(id: string, eventType: string): Promise<unknown> {
  await jobAlarm(id, 2_000);
  await deliver("history");
  const { body } = await call("GET", `/api/v1/jobs/${id}/history`, { headers: ALICE });
  return (body as { event_type: string; context_snapshot: unknown }[]).find((row) => row.event_type === eventType)
    ?.context_snapshot;
}

describe.each(WAYS)("a job, %s,", (_, between) => {
  test("is paused, lets nothing begin meanwhile, and goes on when it is resumed", async () => {
    const { id, worker } = await jobAtWork();
    const task = await worker.task();
    await between();
    expect(await ask(id, "pause", { reason: "The disk is full." })).toMatchObject({ status: 200 });
    await between();
    expect(await ask(id, "pause", { reason: "Again" })).toMatchObject(refused(409, "conflict"));
    await postResult(worker.workerId, resultOf(task));
    await jobAlarm(id, 1_000);
    expect(await viewJob(id)).not.toMatchObject({ status: "finished" });
    await between();
    expect(await ask(id, "resume", { reason: "There is room again." })).toMatchObject({ status: 200 });
    await expectJob(id, { status: "finished" });
    expect(await ask(id, "resume", { reason: "Again" })).toMatchObject(refused(409, "conflict"));
    expect(await ask(id, "pause", { reason: "Too late" })).toMatchObject(refused(409, "conflict"));
    await eventually(() => told(id, "job_paused")).toMatchObject({ by: "client:alice", reason: "The disk is full." });
    await eventually(() => told(id, "job_resumed")).toMatchObject({
      by: "client:alice",
      reason: "There is room again.",
    });
  });

  test("is moved to another state, and its task is taken from its worker", async () => {
    const { id, worker } = await jobAtWork();
    const task = await worker.task();
    await between();
    const moved = await ask(id, "move", { state: "done", state_history: { by_hand: true }, reason: "It was done." });
    expect(moved).toMatchObject({ status: 200 });
    expect(await worker.next("cancel_task")).toMatchObject({ task_id: task.task_id });
    await between();
    await expectJob(id, { status: "finished", current_state: "done", state_history: { by_hand: true } });
    await eventually(() => told(id, "job_moved")).toMatchObject({ by: "client:alice", reason: "It was done." });
  });

  test("is not moved to a state there is not, nor into the aggregation of a fan-out it has not begun", async () => {
    const type = unique();
    const id = await createJob("fan-out", { type, count: 2 });
    await between();
    expect(await ask(id, "move", { state: "nowhere", reason: "?" })).toMatchObject(refused(400, "bad_request"));
    expect(await ask(id, "move", { state: "join", reason: "?" })).toMatchObject(refused(400, "bad_request"));
    expect(await viewJob(id)).toMatchObject({ status: "waiting_for_parallel_tasks", current_state: "split" });
  });

  test("is given data by hand", async () => {
    const { id, worker } = await jobAtWork();
    const task = await worker.task();
    await between();
    expect(await patch(id, { state_history: { a: 1 }, reason: "It was missing." })).toEqual(
      expect.objectContaining({ status: 200, body: { status: "waiting_for_worker" } }),
    );
    await between();
    await patch(id, { state_history: { a: 2, b: [3] }, reason: "It was wrong." });
    await worker.result(task, { data: { c: 4 } });
    await expectJob(id, { status: "finished", state_history: { a: 2, b: [3], c: 4 } });
    await eventually(() => told(id, "job_patched")).toMatchObject({ by: "client:alice", reason: "It was missing." });
  });

  test("is retried from where it was quarantined", async () => {
    const { id, worker } = await quarantinedJob();
    await between();
    expect(await ask(id, "retry", { state_history: { file: "b" } })).toMatchObject({ status: 200 });
    await between();
    const task = await worker.task();
    expect(await ask(id, "retry")).toMatchObject(refused(409, "conflict"));
    await worker.result(task);
    await expectJob(id, { status: "finished", error_message: null, state_history: { file: "b" } });
    await eventually(() => told(id, "job_retried")).toMatchObject({ by: "client:alice" });
  });

  test("that ended by its blueprint's end state is retried from a state that is named", async () => {
    const { id, worker } = await jobAtWork();
    await worker.result(await worker.task(), { status: "rejected" });
    await expectJob(id, { status: "failed", current_state: "failed_on_purpose" });
    await between();
    expect(await ask(id, "retry")).toMatchObject(refused(400, "bad_request"));
    expect(await ask(id, "retry", { state: "nowhere" })).toMatchObject(refused(400, "bad_request"));
    await between();
    expect(await ask(id, "retry", { state: "work" })).toMatchObject({ status: 200 });
    await worker.result(await worker.task());
    await expectJob(id, { status: "finished" });
  });

  test("is discarded from quarantine only, and stays cancelled", async () => {
    const { id } = await quarantinedJob();
    await between();
    expect(await ask(id, "discard", { reason: "Nobody needs it." })).toMatchObject({
      status: 200,
      body: { status: "cancelled" },
    });
    await between();
    expect(await ask(id, "discard")).toMatchObject(refused(409, "conflict"));
    expect(await ask(id, "retry")).toMatchObject(refused(409, "conflict"));
    await expectJob(id, { status: "cancelled" });
    await eventually(() => told(id, "job_discarded")).toMatchObject({ by: "client:alice", reason: "Nobody needs it." });
  });

  test("is cancelled with a reason, and a second request does not wait for the worker", async () => {
    const { id, worker } = await jobAtWork();
    await worker.task();
    await between();
    const accepted = { status: 200, body: { status: "cancellation_request_accepted" } };
    expect(await ask(id, "cancel", { reason: "It is too late." })).toMatchObject(accepted);
    await between();
    expect(await ask(id, "cancel")).toMatchObject(accepted);
    await expectJob(id, { status: "cancelled" });
    expect(await ask(id, "cancel")).toMatchObject(refused(409, "conflict"));
    await eventually(() => told(id, "job_cancelled")).not.toBeUndefined();
  });
});

describe.each(WAYS)("an event, %s,", (_, between) => {
  /** A job that waits for the event `go`. */
  async function listening(): Promise<string> {
    const { id, worker } = await working();
    await worker.result(await worker.task());
    await expectJob(id, { status: "waiting_for_event", current_state: "listen" });
    return id;
  }

  /** A job that will wait for it once its task is done. */
  async function working(): Promise<{ id: string; worker: WorkerSocket }> {
    const type = unique();
    const worker = await socketWorker([type]);
    return { id: await createJob("signals", { type }), worker };
  }

  test.each([
    ["an object", { amount: 3 }],
    ["a list", [1, 2]],
    ["a text", "now"],
  ])("that is waited for is received with its data: %s", async (_, data) => {
    const id = await listening();
    await between();
    const answer = await call("POST", `/api/v1/jobs/${id}/events/go`, { headers: ALICE, json: data });
    expect(answer).toMatchObject({ status: 202, body: { status: "event_received" } });
    await between();
    await expectJob(id, { status: "finished", result: data });
  });

  test("may have no data", async () => {
    const id = await listening();
    expect(await ask(id, "events/go")).toMatchObject({ status: 202, body: { status: "event_received" } });
    await between();
    await expectJob(id, { status: "finished", result: null });
  });

  test("that comes early is kept until the job waits for it", async () => {
    const { id, worker } = await working();
    const task = await worker.task();
    await between();
    expect(await ask(id, "events/go", { early: true })).toMatchObject({
      status: 202,
      body: { status: "event_buffered" },
    });
    await between();
    await worker.result(task);
    await expectJob(id, { status: "finished", result: { early: true } });
  });

  test.each([
    ["the header", (id: string, key: string) => ask(id, "events/other", {}, { ...ALICE, "Idempotency-Key": key })],
    ["the query", (id: string, key: string) => ask(id, `events/other?id=${key}`, {})],
  ])("that is sent again with its id in %s is taken once", async (_, send) => {
    const { id, worker } = await working();
    const key = unique();
    expect(await send(id, key)).toMatchObject({ status: 202, body: { status: "event_buffered" } });
    await between();
    expect(await send(id, key)).toMatchObject({ status: 202, body: { status: "event_duplicate" } });
    expect(await send(id, unique())).toMatchObject({ status: 202, body: { status: "event_buffered" } });
    await worker.close();
  });

  test("comes too late for a job that has ended", async () => {
    const id = await listening();
    await ask(id, "events/go");
    await between();
    expect(await ask(id, "events/go")).toMatchObject(refused(409, "conflict"));
  });
});

describe("what is not there, or not theirs,", () => {
  const COMMANDS: readonly (readonly [method: string, path: string, json: object])[] = [
    ["POST", "/cancel", {}],
    ["POST", "/retry", {}],
    ["POST", "/discard", {}],
    ["POST", "/pause", { reason: "r" }],
    ["POST", "/resume", { reason: "r" }],
    ["POST", "/move", { state: "done", reason: "r" }],
    ["POST", "/events/go", {}],
    ["PATCH", "", { state_history: {}, reason: "r" }],
  ];

  test.each(COMMANDS)("is answered 404: %s %s", async (method, path, json) => {
    const { id } = await jobAtWork();
    const others = await call(method, `/api/v1/jobs/${id}${path}`, { headers: BOB, json });
    expect(others).toMatchObject({ status: 404, body: { error: "Job not found", code: "job_not_found" } });
    for (const none of [unique(), "%00", "x".repeat(129)]) {
      expect(await call(method, `/api/v1/jobs/${none}${path}`, { headers: ALICE, json })).toEqual({
        ...others,
        headers: expect.anything(),
      });
    }
    expect(await call(method, `/api/v1/jobs/${id}${path}`, { json })).toMatchObject(refused(401, "unauthorized"));
    await expectJob(id, { status: "waiting_for_worker" });
  });
});

describe("a command is answered 400 with the member that is wrong", () => {
  const tooLong = "x".repeat(MAX_REASON_CHARS + 1);

  test.each([
    ["pause", {}, "reason"],
    ["pause", { reason: "" }, "reason"],
    ["pause", { reason: "  " }, "reason"],
    ["pause", { reason: tooLong }, "reason"],
    ["pause", { reason: "r", until: "noon" }, ""],
    ["resume", {}, "reason"],
    ["move", { reason: "r" }, "state"],
    ["move", { state: "done" }, "reason"],
    ["move", { state: "done", reason: "r", state_history: [1] }, "state_history"],
    ["retry", { state: 7 }, "state"],
    ["retry", { reason: "" }, "reason"],
    ["discard", { reason: tooLong }, "reason"],
    ["cancel", { reason: 7 }, "reason"],
    ["events/no%20name", {}, ""],
    [`events/go?id=${"x".repeat(256)}`, {}, ""],
  ])("%s %j", async (what, json, path) => {
    expect(await ask(unique(), what, json)).toMatchObject({
      status: 400,
      body: { code: "bad_request", details: [{ path, message: expect.any(String) }] },
    });
  });

  test.each([[{ reason: "r" }], [{ state_history: {} }], [{ state_history: null, reason: "r" }]])(
    "PATCH %j",
    async (json) => {
      expect(await patch(unique(), json)).toMatchObject(refused(400, "bad_request"));
    },
  );

  test("or that it is not JSON", async () => {
    for (const what of ["cancel", "pause", "events/go"]) {
      const answer = await call("POST", `/api/v1/jobs/${unique()}/${what}`, { headers: ALICE, text: "{reason" });
      expect(answer).toMatchObject(refused(400, "bad_json"));
    }
  });

  test("or that an event has two ids", async () => {
    const headers = { ...ALICE, "Idempotency-Key": "a" };
    expect(await ask(unique(), "events/go?id=b", {}, headers)).toMatchObject(refused(400, "bad_request"));
    expect(await ask(unique(), "events/go?id=a", {}, headers)).toMatchObject(refused(404, "job_not_found"));
  });
});
