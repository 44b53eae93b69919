import { evictAllDurableObjects } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { sendNotice } from "../../durable-objects/job/job-notices.ts";
import { RegistryShard } from "../../src/index.ts";
import { waitingJob } from "../support/job-builders.ts";
import { ALICE, call, createJob, eventually, expectJob, unique, viewJob } from "../support/workerd-api.ts";
import { WAYS } from "../support/workerd-clock.ts";
import { jobObject, shard, whereabouts } from "../support/workerd-objects.ts";
import { openSocket, socketWorker } from "../support/workerd-worker.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** What a job sends to a child of its that it does not wait for any more: once, or again after a crash. */
const letGo = (parent: string, child: string) =>
  sendNotice(env, waitingJob({}, { id: parent }), { kind: "cancel_child", jobId: child });

const cancel = (id: string, key: string) =>
  call("POST", `/api/v1/jobs/${id}/cancel`, { headers: { ...ALICE, "Idempotency-Key": key } });

describe.each(WAYS)("a child that its parent lets go, %s,", (_, between) => {
  test("cleans up in peace when it is told twice", async () => {
    const type = unique();
    const worker = await socketWorker([type, `${type}-clean`]);
    const parent = await createJob("parent", { blueprint: "clean_up", initialData: { type }, seconds: 600 });
    const task = await worker.task();
    const child = task.job_id;
    await letGo(parent, child);
    await between();
    await letGo(parent, child);
    expect(await viewJob(child)).toMatchObject({ status: "waiting_for_worker", cancel_requested: true });
    await worker.result(task, { status: "cancelled" });
    const cleaning = await worker.task();
    await between();
    await letGo(parent, child);
    await worker.result(cleaning);
    await expectJob(child, { status: "cancelled", current_state: "done" });
  });

  test("is not made when it was to be made later than it is let go", async () => {
    const parent = unique();
    const child = `${parent}-1`;
    await letGo(parent, child);
    await between();
    const begun = await jobObject(child).createChild("one_task", {
      id: child,
      client: { name: "alice", plan: "free", params: {} },
      initialData: { type: unique() },
      requestDigest: "",
      tracing: {},
      parent: { jobId: parent, taskId: child, attempt: 1 },
      depth: 1,
    });
    // Nobody waits for it, so there is nobody to tell.
    expect(begun).toEqual({ ok: true });
    expect(await call("GET", `/api/v1/jobs/${child}`, { headers: ALICE })).toMatchObject({ status: 404 });
  });
});

test("a cancel that is sent again with its Idempotency-Key is no second cancel, which would not wait for the worker", async () => {
  const type = unique();
  const worker = await socketWorker([type, `${type}-clean`]);
  const id = await createJob("clean-up", { type });
  const task = await worker.task();
  const key = unique();
  const accepted = { status: 200, body: { status: "cancellation_request_accepted" } };
  for (let time = 1; time <= 3; time += 1) expect(await cancel(id, key)).toMatchObject(accepted);
  expect(await viewJob(id)).toMatchObject({ status: "waiting_for_worker", cancel_requested: true });
  await worker.result(task, { status: "cancelled" });
  const cleaning = await worker.task();
  expect(await cancel(id, key)).toMatchObject(accepted);
  await worker.result(cleaning);
  await expectJob(id, { status: "cancelled", current_state: "done" });
  expect(await cancel(id, key)).toMatchObject(accepted);
  expect(await cancel(id, unique())).toMatchObject({ status: 409 });
});

test("an event that is sent again once the job has ended is known to have come", async () => {
  const type = unique();
  const worker = await socketWorker([type]);
  const id = await createJob("signals", { type });
  await worker.result(await worker.task());
  const send = (key: string) =>
    call("POST", `/api/v1/jobs/${id}/events/go`, { headers: { ...ALICE, "Idempotency-Key": key }, json: { sum: 3 } });
  const key = unique();
  expect(await send(key)).toMatchObject({ status: 202, body: { status: expect.stringMatching(/^event_/) } });
  await expectJob(id, { status: "finished", result: { sum: 3 } });
  expect(await send(key)).toMatchObject({ status: 202, body: { status: "event_duplicate" } });
  expect(await send(unique())).toMatchObject({ status: 409 });
});

describe.each(WAYS)("a worker that was away while its task was cancelled, %s,", (_, between) => {
  test("is told when it comes back, and its answer counts", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("one-task", { type });
    const task = await worker.task();
    await worker.close();
    await between();
    await cancel(id, unique());
    await between();
    const back = await openSocket(worker.workerId);
    await back.hello([type], { holding: [task] });
    expect(await back.next("cancel_task")).toMatchObject({ job_id: id, task_id: task.task_id });
    await back.result(task, { status: "cancelled" });
    await expectJob(id, { status: "cancelled" });
    // Its place is free again.
    const next = await createJob("one-task", { type });
    expect(await back.task()).toMatchObject({ job_id: next });
  });
});

test("a worker that comes back with a task the registry has forgotten keeps it as long as its job waits for it", async () => {
  const type = unique();
  const worker = await socketWorker([type]);
  const id = await createJob("one-task", { type });
  const task = await worker.task();
  await worker.close();
  await shard().release([{ jobId: id, taskId: task.task_id, attempt: task.attempt }]);
  const back = await openSocket(worker.workerId);
  await back.hello([type], { holding: [task] });
  await eventually(() => whereabouts(task)).toMatchObject({ is: "held", workerId: worker.workerId });
  expect(await back.rest()).toEqual([]);
  expect(await back.result(task)).toMatchObject({ status: "result_accepted_success" });
  await expectJob(id, { status: "finished" });
});

test("an offer that reaches the registry later than the cancel of its job is given to nobody", async () => {
  const type = unique();
  // As if it were still in the dispatch queue.
  const offer = vi.spyOn(RegistryShard.prototype, "offer").mockReturnValueOnce([]);
  const id = await createJob("one-task", { type });
  await eventually(() => offer.mock.calls.length).toBe(1);
  const [[offers] = []] = offer.mock.calls;
  await cancel(id, unique());
  await expectJob(id, { status: "cancelled" });
  await evictAllDurableObjects();
  const worker = await socketWorker([type]);
  expect(await shard().offer(offers ?? [])).toMatchObject([{ is: "known", workerId: null }]);
  expect(await worker.rest()).toEqual([]);
});
