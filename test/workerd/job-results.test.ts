import { describe, expect, test, vi } from "vitest";
import { JobObject } from "../../src/index.ts";
import type { ReportedResult } from "../../src/job/take-result.ts";
import { createJob, expectJob, unique, viewJob } from "../support/workerd-api.ts";
import { jobAlarm, pass, WAYS } from "../support/workerd-clock.ts";
import { whereabouts } from "../support/workerd-objects.ts";
import { postResult, register, resultOf, socketWorker } from "../support/workerd-worker.ts";

const TRANSIENT = { status: "failure", error: { code: "TRANSIENT_ERROR", message: "busy" } };
const BACKOFF_MS = 8_000;
const ignored = (reason: string) => ({ status: "ignored", reason, message: expect.any(String) });

/** A job whose one task a worker holds. */
async function handedOver() {
  const type = unique();
  const worker = await socketWorker([type]);
  const id = await createJob("one-task", { type });
  return { id, worker, task: await worker.task() };
}

describe.each(WAYS)("a result, %s,", (_, between) => {
  test("that comes twice is taken once", async () => {
    const { id, worker, task } = await handedOver();
    expect(await worker.result(task, { data: { n: 1 } })).toMatchObject({ status: "result_accepted_success" });
    await between();
    expect(await worker.result(task, { data: { n: 2 } })).toMatchObject(ignored("job_already_terminated"));
    await between();
    expect((await postResult(worker.workerId, resultOf(task, { data: { n: 3 } }))).body).toEqual(
      ignored("job_already_terminated"),
    );
    await expectJob(id, { status: "finished", result: { n: 1 } });
  });

  test("that comes many times at once is taken once", async () => {
    const { id, worker, task } = await handedOver();
    await between();
    const answers = await Promise.all(
      Array.from({ length: 10 }, (__, n) => postResult(worker.workerId, resultOf(task, { data: { n } }))),
    );
    const words = answers.map(({ body }) => (body as { status: string }).status);
    expect(words.filter((word) => word === "result_accepted_success")).toHaveLength(1);
    expect(words.filter((word) => word === "ignored")).toHaveLength(9);
    await expectJob(id, { status: "finished", result: { n: words.indexOf("result_accepted_success") } });
  });

  test("that failed and comes twice counts as one failure", async () => {
    const { id, worker, task } = await handedOver();
    await worker.result(task, TRANSIENT);
    await between();
    expect(await worker.result(task, TRANSIENT)).toMatchObject(ignored("stale_task"));
    expect(await viewJob(id)).toMatchObject({ retry_count: 1 });
  });

  test("of an earlier attempt changes nothing", async () => {
    const { id, worker, task } = await handedOver();
    await worker.result(task, TRANSIENT);
    await jobAlarm(id, BACKOFF_MS);
    const second = await worker.task();
    await between();
    expect(await worker.result(task)).toMatchObject(ignored("stale_task"));
    await between();
    expect(await whereabouts(second)).toMatchObject({ is: "held" });
    expect(await worker.result(second)).toMatchObject({ status: "result_accepted_success", attempt: 2 });
    await expectJob(id, { status: "finished" });
  });

  test("with a wrong lease changes nothing, even from the worker that holds the task", async () => {
    const { id, worker, task } = await handedOver();
    await between();
    expect(await worker.result({ ...task, lease: "guessed" })).toMatchObject(ignored("stale_task"));
    await between();
    expect(await whereabouts(task)).toMatchObject({ is: "held" });
    expect(await worker.result(task)).toMatchObject({ status: "result_accepted_success" });
    await expectJob(id, { status: "finished" });
  });

  test("from another worker changes nothing", async () => {
    const { id, worker, task } = await handedOver();
    const stranger = unique();
    await register(stranger);
    await between();
    const { lease: _lease, attempt: _attempt, ...told } = resultOf(task);
    expect((await postResult(stranger, told)).body).toEqual(ignored("worker_mismatch"));
    await between();
    expect((await postResult(stranger, { ...told, lease: "guessed" })).body).toEqual(ignored("stale_task"));
    expect(await whereabouts(task)).toMatchObject({ is: "held" });
    expect(await worker.result(task)).toMatchObject({ status: "result_accepted_success" });
    await expectJob(id, { status: "finished" });
  });

  test("from a worker that knows neither attempt nor lease is taken when it holds the task", async () => {
    const { id, worker, task } = await handedOver();
    const { lease: _lease, attempt: _attempt, ...told } = resultOf(task, { data: { n: 1 } });
    await between();
    expect((await postResult(worker.workerId, told)).body).toEqual({ status: "result_accepted_success" });
    await expectJob(id, { status: "finished", result: { n: 1 } });
  });

  test("for a job that does not exist is answered 404, and over the socket said to be ignored", async () => {
    const { worker, task } = await handedOver();
    const lost = { ...task, job_id: unique(), task_id: unique() };
    await between();
    expect(await postResult(worker.workerId, resultOf(lost))).toMatchObject({
      status: 404,
      body: { code: "job_not_found" },
    });
    await between();
    expect(await worker.result(lost)).toMatchObject(ignored("job_not_found"));
  });
});

test("a retry that is on offer before the failure is acknowledged stays on offer", async () => {
  const { worker, task } = await handedOver();
  worker.send({ type: "drain" });
  expect(await worker.rest()).toEqual([]);
  const retry = { ...task, attempt: 2 };
  const { taskResult } = JobObject.prototype;
  const slowly = vi.spyOn(JobObject.prototype, "taskResult").mockImplementationOnce(async function (
    this: JobObject,
    result: ReportedResult,
  ) {
    const ack = taskResult.call(this, result);
    pass(BACKOFF_MS);
    await this.alarm();
    while ((await whereabouts(retry))?.is === "unknown");
    return ack;
  } as never);
  await postResult(worker.workerId, resultOf(task, TRANSIENT));
  slowly.mockRestore();
  expect(await whereabouts(retry)).toEqual({ is: "waiting" });
});
