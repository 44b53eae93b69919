import { describe, expect, test } from "vitest";
import { ADMIN, ALICE, call, createJob, eventually, expectJob, unique, viewJob } from "../support/workerd-api.ts";
import { deliver, jobAlarm, WAYS } from "../support/workerd-clock.ts";
import { openSocket, poll, postResult, register, resultOf, socketWorker } from "../support/workerd-worker.ts";

const TRANSIENT = { status: "failure", error: { code: "TRANSIENT_ERROR", message: "busy" } };
/** Longer than the longest backoff here, shorter than a lease. */
const BACKOFF_MS = 8_000;

describe.each(WAYS)("a job, %s,", (_, between) => {
  test("is made once for an Idempotency-Key, which is one client's and for one request", async () => {
    const headers = { ...ALICE, "Idempotency-Key": unique() };
    const create = (client: Record<string, string>, value: number) =>
      call("POST", "/api/v1/jobs/one-task", { headers: { ...headers, ...client }, json: { type: "keyed", value } });
    const first = await create(ALICE, 1);
    expect(first).toMatchObject({ status: 202, body: { status: "accepted", job_id: expect.any(String) } });
    await between();
    expect(await create(ALICE, 1)).toMatchObject({ status: 202, body: first.body });
    await between();
    expect(await create(ALICE, 2)).toMatchObject({ status: 409, body: { code: "conflict" } });
    const others = await create({ "Idempotency-Key": unique() }, 1);
    expect(others.body).not.toEqual(first.body);
  });

  test("is seen by the client that made it and by no other", async () => {
    const id = await createJob("one-task", { type: unique(), value: 1 });
    await between();
    const [own, others] = await Promise.all(
      [ALICE, ADMIN].map((headers) => call("GET", `/api/v1/jobs/${id}`, { headers })),
    );
    expect(own).toMatchObject({
      status: 200,
      body: { id, status: "waiting_for_worker", client_config: { name: "alice", plan: "premium" } },
    });
    expect(others).toMatchObject({ status: 404, body: { code: "job_not_found" } });
  });

  test("is listed, with its history, once its events have been delivered", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("one-task", { type });
    await worker.result(await worker.task());
    await between();
    await expectJob(id, { status: "finished" });
    await between();
    const list = async () => (await call("GET", "/api/v1/jobs?status=finished", { headers: ALICE })).body;
    await eventually(async () => {
      await deliver("history");
      return list();
    }).toContainEqual(expect.objectContaining({ id, blueprint: "one_task", current_state: "done" }));
    expect((await call("GET", "/api/v1/jobs", { headers: ADMIN })).body).toEqual([]);
    const history = await call("GET", `/api/v1/jobs/${id}/history`, { headers: ALICE });
    expect(history.body).toMatchObject([
      { event_type: "job_created", seq: 1 },
      { event_type: "state_started", state: "work" },
      { event_type: "task_dispatched" },
      { event_type: "task_finished", worker_id: worker.workerId },
      { event_type: "state_finished", previous_state: "work", next_state: "done" },
      { event_type: "state_started", state: "done" },
      { event_type: "job_finished", seq: 7 },
    ]);
  });
});

describe.each(WAYS)("one task, %s,", (_, between) => {
  test("goes over the socket and its result ends the job", async () => {
    const [type, workerId] = [unique(), unique()];
    await register(workerId, { supported_tasks: [type] });
    await between();
    const worker = await openSocket(workerId);
    await between();
    expect(await worker.hello([type])).toMatchObject({ current_tasks: [] });
    await between();
    const id = await createJob("one-task", { type, value: 7 });
    const task = await worker.task();
    expect(task).toMatchObject({ job_id: id, type, params: { value: 7 }, attempt: 1, priority: 0 });
    expect(task.tracing_context["traceparent"]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    await between();
    const acknowledged = await worker.result(task, { data: { answer: 42 } });
    expect(acknowledged).toMatchObject({ status: "result_accepted_success", task_id: task.task_id, attempt: 1 });
    await between();
    await expectJob(id, { status: "finished", result: { answer: 42 }, progress: 1, error_message: null });
  });

  test("goes over a long poll as well", async () => {
    const [type, workerId] = [unique(), unique()];
    await register(workerId, { supported_tasks: [type] });
    await between();
    const polled = poll(workerId);
    await between();
    const id = await createJob("one-task", { type });
    const task = await polled;
    if (task === null) throw new Error("No task came.");
    await between();
    const result = await postResult(workerId, resultOf(task, { data: { answer: 42 } }));
    expect(result).toMatchObject({ status: 200, body: { status: "result_accepted_success" } });
    await between();
    await expectJob(id, { status: "finished", result: { answer: 42 } });
  });

  test("chooses the next state by a word of the blueprint's own", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("one-task", { type });
    const task = await worker.task();
    await between();
    expect(await worker.result(task, { status: "rejected" })).toMatchObject({ status: "result_accepted_success" });
    await expectJob(id, { status: "failed", current_state: "failed_on_purpose" });
  });

  test.each([
    ["a word the blueprint does not know", { status: "odd" }, "failed", "Worker returned unhandled status: odd"],
    ["a cancelled task", { status: "cancelled" }, "cancelled", "The worker cancelled the task."],
    ["a permanent failure", failure("PERMANENT_ERROR"), "quarantined", "Task failed with permanent error: no"],
    ["invalid input", failure("INVALID_INPUT_ERROR"), "failed", "Task failed due to invalid input: no"],
  ])("ends the job at once by %s", async (_word, report, status, error_message) => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("one-task", { type });
    const task = await worker.task();
    await between();
    await worker.result(task, report);
    await between();
    await expectJob(id, { status, error_message });
  });

  test("is tried four times while its failures may pass, then the job is quarantined", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("one-task", { type });
    for (let attempt = 1; attempt <= 4; attempt += 1) {
      const task = await worker.task();
      expect(task.attempt).toBe(attempt);
      await between();
      expect(await worker.result(task, TRANSIENT)).toMatchObject({ status: "result_accepted_failure" });
      await between();
      if (attempt < 4) await jobAlarm(id, BACKOFF_MS);
    }
    await expectJob(id, { status: "quarantined", error_message: "Task failed after 4 attempts: busy" });
    expect(await worker.rest()).toEqual([]);
  });

  test("is not offered again before its backoff is over", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("one-task", { type });
    await worker.result(await worker.task(), failure("SOME_OTHER_WORD"));
    await between();
    expect(await viewJob(id)).toMatchObject({ status: "waiting_for_worker", retry_count: 1, error_message: "no" });
    expect(await worker.rest()).toEqual([]);
    await jobAlarm(id, BACKOFF_MS);
    const second = await worker.task();
    await worker.result(second);
    await expectJob(id, { status: "finished", error_message: null });
  });
});

function failure(code: string) {
  return { status: "failure", error: { code, message: "no" } };
}
