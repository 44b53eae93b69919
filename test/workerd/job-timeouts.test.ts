import { describe, expect, test } from "vitest";
import { createJob, eventually, expectJob, unique, viewJob } from "../support/workerd-api.ts";
import { jobAlarm, WAYS } from "../support/workerd-clock.ts";
import { shardRows } from "../support/workerd-objects.ts";
import { poll, register, resultOf, socketWorker, postResult } from "../support/workerd-worker.ts";

describe.each(WAYS)("a job's time limits, %s:", (_, between) => {
  test("a task that no worker takes in time follows `timeout`, and is taken from the registry", async () => {
    const type = unique();
    const id = await createJob("limited", { type, dispatchTimeoutSeconds: 20 });
    await eventually(() => shardRows("waiting", id)).toBe(1);
    await between();
    expect(await jobAlarm(id, 21_000)).toBe(true);
    await expectJob(id, {
      status: "finished",
      current_state: "late",
      result: { code: "TIMEOUT_ERROR", message: expect.stringContaining("(dispatch timeout)") },
    });
    expect(await shardRows("waiting", id)).toBe(0);
  });

  test("a task that a worker has is not over its dispatch timeout", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("limited", { type, dispatchTimeoutSeconds: 20 });
    const task = await worker.task();
    await between();
    await jobAlarm(id, 21_000);
    expect(await viewJob(id)).toMatchObject({ status: "waiting_for_worker" });
    await worker.result(task);
    await expectJob(id, { status: "finished", current_state: "done" });
  });

  test("a result that does not come within its deadline, retries included", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("limited", { type, resultTimeoutSeconds: 30, handled: false });
    await worker.task();
    await between();
    expect(await jobAlarm(id, 31_000)).toBe(true);
    await worker.next("cancel_task");
    await expectJob(id, {
      status: "failed",
      error_message: "Worker task timed out: there was no result within 30 s (result deadline).",
    });
  });

  test("a task that runs too long", async () => {
    const type = unique();
    const workerId = unique();
    await register(workerId, { supported_tasks: [type] });
    const id = await createJob("limited", { type, timeoutSeconds: 90 });
    const task = await poll(workerId);
    await between();
    await jobAlarm(id, 61_000);
    await between();
    await jobAlarm(id, 31_000);
    await expectJob(id, {
      status: "finished",
      current_state: "late",
      result: { message: "Worker task timed out. It ran longer than 90 s." },
    });
    if (task === null) throw new Error("There was no task.");
    expect((await postResult(workerId, resultOf(task))).body).toMatchObject({ status: "ignored" });
  });

  test("a task that runs longer than a limit that is shorter than a lease", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("limited", { type, timeoutSeconds: 2 });
    await worker.task();
    await between();
    await jobAlarm(id, 2_100);
    await worker.next("cancel_task");
    await expectJob(id, {
      current_state: "late",
      result: { message: "Worker task timed out. It ran longer than 2 s." },
    });
  });

  test("the same for a task that had to wait for its worker", async () => {
    const type = unique();
    const id = await createJob("limited", { type, timeoutSeconds: 2 });
    await jobAlarm(id, 2_100);
    await between();
    const worker = await socketWorker([type]);
    const task = await worker.task();
    await expectJob(id, { status: "waiting_for_worker", task_worker_id: worker.workerId });
    await between();
    expect(await jobAlarm(id, 1_000)).toBe(false);
    await jobAlarm(id, 1_100);
    await expectJob(id, { current_state: "late" });
    expect(await worker.result(task)).toMatchObject({ status: "ignored" });
  });

  test("the whole job goes where its blueprint says", async () => {
    const type = unique();
    const id = await createJob("hurried", { type });
    await between();
    await jobAlarm(id, 61_000);
    await between();
    await jobAlarm(id, 60_000);
    await expectJob(id, { status: "finished", current_state: "too_late", result: "out of time" });
    expect(await shardRows("waiting", id)).toBe(0);
  });

  test("a task's own retry policy holds", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("limited", { type, retry: { maxAttempts: 2, initialMs: 10_000 } });
    await worker.result(await worker.task(), {
      status: "failure",
      error: { code: "TRANSIENT_ERROR", message: "busy" },
    });
    await between();
    expect(await viewJob(id)).toMatchObject({ status: "waiting_for_worker", retry_count: 1 });
    await jobAlarm(id, 10_000);
    await worker.result(await worker.task(), { status: "failure", error: "still busy" });
    await expectJob(id, { current_state: "sorry", result: { type, code: "TRANSIENT_ERROR", message: "still busy" } });
  });
});
