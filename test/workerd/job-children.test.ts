import { evictAllDurableObjects } from "cloudflare:test";
import { afterEach, describe, expect, test, vi } from "vitest";
import { JobObject } from "../../src/index.ts";
import { familyRuns } from "../support/feature-blueprints.ts";
import { ALICE, call, createJob, eventually, expectJob, unique, viewJob } from "../support/workerd-api.ts";
import { jobAlarm, WAYS } from "../support/workerd-clock.ts";
import { makeUnreachable } from "../support/workerd-objects.ts";
import { socketWorker } from "../support/workerd-worker.ts";

const oneTask = (type: string) => ({ blueprint: "one_task", initialData: { type } });
const childOf = async (id: string): Promise<string> => String((await viewJob(id))["child_job_id"]);

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(WAYS)("a parent, %s,", (_, between) => {
  test("goes on with the result of its child", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("parent", oneTask(type));
    const task = await worker.task();
    const child = await childOf(id);
    expect(task.job_id).toBe(child);
    expect(await viewJob(child)).toMatchObject({ parent_job_id: id, blueprint_name: "one_task" });
    expect(await viewJob(id)).toMatchObject({ status: "waiting_for_sub_job" });
    await between();
    await worker.result(task, { data: { answer: 42 } });
    await expectJob(id, {
      status: "finished",
      current_state: "good",
      result: { outcome: "success", status: "finished", final_state: "done", result: { answer: 42 } },
    });
  });

  test.each([
    ["fails", { code: "INVALID_INPUT_ERROR", message: "bad file" }, "bad", "failed"],
    ["is quarantined", { code: "PERMANENT_ERROR", message: "no disk" }, "stuck", "quarantined"],
  ])("goes on when its child %s", async (_how, error, state, status) => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("parent", oneTask(type));
    const task = await worker.task();
    await between();
    await worker.result(task, { status: "failure", error });
    await expectJob(id, { status: "finished", current_state: state, result: { outcome: "failure", status } });
  });

  test("goes on when its child is cancelled by hand", async () => {
    const id = await createJob("parent", oneTask(unique()));
    await between();
    await expectJob(await childOf(id), { status: "waiting_for_worker" });
    await call("POST", `/api/v1/jobs/${await childOf(id)}/cancel`, { headers: ALICE });
    await expectJob(id, { current_state: "stopped", result: { status: "cancelled" } });
  });

  test("fails when its child does and it has no answer to that", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("parent", { ...oneTask(type), only: ["success"] });
    const task = await worker.task();
    await between();
    await worker.result(task, { status: "failure", error: { code: "PERMANENT_ERROR", message: "no disk" } });
    await expectJob(id, { status: "failed", error_message: expect.stringContaining("no disk") });
  });

  test.each([
    ["that is not deployed", { blueprint: "nowhere", initialData: {} }, "Blueprint 'nowhere' is not deployed."],
    ["whose input is wrong", { blueprint: "fan_out", initialData: { count: "x" } }, "Input validation failed"],
  ])("is told of a child %s", async (_what, child, error) => {
    const id = await createJob("parent", child);
    await expectJob(id, { current_state: "bad", result: { error_message: expect.stringContaining(error) } });
  });

  test("ends its child when it takes too long", async () => {
    const id = await createJob("parent", { ...oneTask(unique()), seconds: 50 });
    const child = await childOf(id);
    await expectJob(child, { status: "waiting_for_worker" });
    await between();
    await jobAlarm(id, 51_000);
    await expectJob(id, {
      current_state: "late",
      result: { message: "Child job timed out: it did not end within 50 s." },
    });
    await expectJob(child, { status: "cancelled" });
  });

  test("takes its child with it when it is cancelled, down to the last generation", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("parent", { blueprint: "parent", initialData: oneTask(type), only: ["success"] });
    const task = await worker.task();
    await between();
    const child = await childOf(id);
    await call("POST", `/api/v1/jobs/${id}/cancel`, { headers: ALICE });
    await worker.next("cancel_task");
    await worker.result(task, { status: "cancelled" });
    await expectJob(task.job_id, { status: "cancelled" });
    await expectJob(child, { status: "cancelled", current_state: "stopped" });
    await expectJob(id, { status: "cancelled" });
  });

  test("learns of its child's end even if the word was lost", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("parent", oneTask(type));
    const task = await worker.task();
    const child = await childOf(id);
    makeUnreachable(id);
    await worker.result(task, { data: { answer: 42 } });
    vi.restoreAllMocks();
    await expectJob(child, { status: "finished" });
    await between();
    await jobAlarm(child, 60_000);
    await expectJob(id, { status: "finished", current_state: "good" });
  });

  test("begins a child anew whose beginning was lost", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const begin = vi.spyOn(JobObject.prototype, "createChild").mockReturnValue({ ok: true });
    const id = await createJob("parent", oneTask(type));
    await eventually(() => begin.mock.calls.length).toBe(1);
    await evictAllDurableObjects({ webSockets: "hibernate" });
    vi.restoreAllMocks();
    await between();
    await jobAlarm(id, 61_000);
    await worker.result(await worker.task());
    await expectJob(id, { status: "finished", current_state: "good" });
  });

  test("of several children aggregates them once, in order", async () => {
    const type = unique();
    const worker = await socketWorker([type], { slots: 3 });
    const id = await createJob("family", {
      children: [oneTask(type), oneTask(type), { blueprint: "nowhere", initialData: {} }],
    });
    const tasks = [await worker.task(), await worker.task()];
    await between();
    for (const task of tasks.toReversed()) {
      await worker.result(task, { data: { from: Number(task.job_id.split("-").at(-1)) } });
    }
    await expectJob(id, {
      status: "finished",
      result: {
        ends: [
          { status: "success", data: { from: 1 }, code: null },
          { status: "success", data: { from: 2 }, code: null },
          { status: "failure", data: null, code: "CHILD_FAILED" },
        ],
      },
    });
    expect(familyRuns.get(id)).toBe(1);
  });

  test("of several children that fails fast cancels the others", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("family", {
      failFast: true,
      children: [oneTask(type), oneTask(unique())],
    });
    const task = await worker.task();
    await between();
    await worker.result(task, { status: "failure", error: { code: "PERMANENT_ERROR", message: "no" } });
    await expectJob(id, { status: "finished" });
    await expectJob(`${id}-2`, { status: "cancelled" });
  });
});

test("a blueprint that runs itself for ever is stopped by its depth", async () => {
  let input: object = oneTask(unique());
  for (let i = 0; i < 12; i += 1) input = { blueprint: "parent", initialData: input };
  const id = await createJob("parent", input);
  const deepest = `${id}${"-1".repeat(10)}`;
  await expectJob(deepest, { status: "awaiting_retry", error_message: expect.stringContaining("10 levels deep") });
});
