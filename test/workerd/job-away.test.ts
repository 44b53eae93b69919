import { evictAllDurableObjects } from "cloudflare:test";
import { afterEach, describe, expect, test, vi } from "vitest";
import { JobObject } from "../../src/index.ts";
import type { ReportedResult } from "../../src/job/take-result.ts";
import { call, createJob, expectJob, unique, WORKER } from "../support/workerd-api.ts";
import { jobAlarm, shardAlarm, WAYS } from "../support/workerd-clock.ts";
import { makeUnreachable, shardRows, whereabouts } from "../support/workerd-objects.ts";
import { openSocket, polledTask, postResult, resultOf, socketWorker } from "../support/workerd-worker.ts";

/** When a job looks after its tasks, or a worker's answer to a job that was away is waited for no more. */
const LEASE_MS = 60_000;

afterEach(() => {
  vi.restoreAllMocks();
});

/** Jobs take results only once they are let. */
function holdUpResults() {
  const { promise, resolve: letThrough } = Promise.withResolvers<void>();
  const { taskResult } = JobObject.prototype;
  vi.spyOn(JobObject.prototype, "taskResult").mockImplementation(async function (
    this: JobObject,
    result: ReportedResult,
  ) {
    await promise;
    return taskResult.call(this, result);
  } as never);
  return letThrough;
}

describe.each(WAYS)("a result whose job is away, %s,", (_, between) => {
  test("is kept by its worker, and nobody else does the task meanwhile", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("one-task", { type });
    const task = await worker.task();
    makeUnreachable(id);
    worker.send({ type: "result", ...resultOf(task, { data: { n: 1 } }) });
    expect(await worker.closed).toMatchObject({ code: 1011 });
    vi.restoreAllMocks();
    await between();
    const other = await socketWorker([type]);
    await jobAlarm(id, LEASE_MS);
    expect(await whereabouts(task)).toMatchObject({ is: "held", workerId: worker.workerId });
    const back = await openSocket(worker.workerId);
    expect(await back.hello([type], { holding: [task] })).toMatchObject({ current_tasks: [task.task_id] });
    await between();
    expect(await back.result(task, { data: { n: 2 } })).toMatchObject({ status: "result_accepted_success" });
    expect(await other.rest()).toEqual([]);
    await expectJob(id, { status: "finished", result: { n: 2 } });
    expect(await shardRows("leases", task.task_id)).toBe(0);
  });

  test("is not lost by a polling worker that says meanwhile that it has no task", async () => {
    const { id, workerId, task } = await polledTask();
    makeUnreachable(id);
    expect(await postResult(workerId, resultOf(task))).toMatchObject({ status: 500 });
    vi.restoreAllMocks();
    await call("PATCH", `/_worker/workers/${workerId}`, { headers: WORKER, json: { current_tasks: [] } });
    await shardAlarm();
    expect(await whereabouts(task)).toMatchObject({ is: "held" });
    await between();
    expect(await postResult(workerId, resultOf(task))).toMatchObject({ body: { status: "result_accepted_success" } });
    expect(await shardRows("leases", task.task_id)).toBe(0);
    await expectJob(id, { status: "finished" });
  });
});

describe("a result on its way to its job", () => {
  test("frees its worker at once, and its task is not lost meanwhile", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("one-task", { type });
    const task = await worker.task();
    const next = await createJob("one-task", { type });
    const letThrough = holdUpResults();
    worker.send({ type: "result", ...resultOf(task) });
    const second = await worker.task();
    expect(second).toMatchObject({ job_id: next });
    expect(await whereabouts(task)).toMatchObject({ is: "held" });
    letThrough();
    expect(await worker.next("result_ack")).toMatchObject({ status: "result_accepted_success" });
    expect([await whereabouts(task), await whereabouts(second)]).toMatchObject([{ is: "unknown" }, { is: "held" }]);
    await expectJob(id, { status: "finished" });
  });

  test("survives that its shard forgets it: the worker sends it again, and has room for its next tasks then", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("one-task", { type });
    const task = await worker.task();
    const next = await createJob("one-task", { type });
    makeUnreachable(id);
    // By HTTP, so that the socket stays.
    expect(await postResult(worker.workerId, resultOf(task))).toMatchObject({ status: 500 });
    vi.restoreAllMocks();
    const second = await worker.task();
    expect(second).toMatchObject({ job_id: next });
    await evictAllDurableObjects({ webSockets: "hibernate" });
    expect([await whereabouts(task), await whereabouts(second)]).toMatchObject([{ is: "held" }, { is: "held" }]);
    expect(await worker.result(task)).toMatchObject({ status: "result_accepted_success" });
    await evictAllDurableObjects({ webSockets: "hibernate" });
    expect([await whereabouts(task), await whereabouts(second)]).toMatchObject([{ is: "unknown" }, { is: "held" }]);
    const third = await createJob("one-task", { type });
    expect(await worker.rest()).toEqual([]);
    await worker.result(second);
    expect(await worker.task()).toMatchObject({ job_id: third });
    await expectJob(id, { status: "finished" });
  });

  test("that never comes again is waited for as long as a lease, and the task goes to another worker", async () => {
    const { id, type, workerId, task } = await polledTask();
    makeUnreachable(id);
    await postResult(workerId, resultOf(task));
    vi.restoreAllMocks();
    const other = await socketWorker([type]);
    await shardAlarm(LEASE_MS / 2);
    expect(await other.rest()).toEqual([]);
    await shardAlarm(LEASE_MS / 2);
    expect(await other.task()).toMatchObject({ task_id: task.task_id, attempt: 2 });
  });
});
