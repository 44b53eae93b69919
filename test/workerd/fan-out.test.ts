import type { TaskPayload } from "@batuta/worker/protocol";
import { describe, expect, test } from "vitest";
import { aggregatorRuns } from "../support/blueprints.ts";
import { createJob, expectJob, unique, viewJob } from "../support/workerd-api.ts";
import { jobAlarm, WAYS } from "../support/workerd-clock.ts";
import { postResult, register, resultOf, socketWorker, type WorkerSocket } from "../support/workerd-worker.ts";

const PERMANENT = { status: "failure", error: { code: "PERMANENT_ERROR", message: "broken" } };
const TRANSIENT = { status: "failure", error: { code: "TRANSIENT_ERROR", message: "busy" } };
const BACKOFF_MS = 8_000;

/** The order in which the aggregator of `fan_out` saw its results. */
const numbers = (count: number) => Array.from({ length: count }, (_, number) => ({ number }));

/** A fan-out whose tasks one worker holds, all of them. */
async function handedOver(count: number) {
  const type = unique();
  const worker = await socketWorker([type], { slots: Math.max(1, count) });
  const id = await createJob("fan-out", { type, count });
  const tasks: TaskPayload[] = [];
  while (tasks.length < count) tasks.push(await worker.task());
  return { id, worker, tasks };
}

function numberOf(task: TaskPayload): number {
  return (task.params as { number: number }).number;
}

describe.each(WAYS)("a fan-out, %s,", (_, between) => {
  test("of nothing is aggregated at once", async () => {
    const id = await createJob("fan-out", { count: 0 });
    await between();
    expect(await viewJob(id)).toMatchObject({ status: "finished", result: { order: [], succeeded: 0, failed: [] } });
  });

  test("of one is aggregated when that one has ended", async () => {
    const { id, worker, tasks } = await handedOver(1);
    await between();
    expect(await viewJob(id)).toMatchObject({
      status: "waiting_for_parallel_tasks",
      branches: { total: 1, done: 0, failed: 0 },
    });
    for (const task of tasks)
      expect(await worker.result(task)).toMatchObject({ status: "parallel_branch_result_accepted" });
    await between();
    await expectJob(id, { status: "finished", result: { order: numbers(1), succeeded: 1 }, branches: null });
  });

  test("is aggregated in the order of submission, whatever the order of results and their duplicates", async () => {
    const { id, worker, tasks } = await handedOver(20);
    const [last, ...others] = tasks.toSorted((a, b) => ((numberOf(a) * 7) % 20) - ((numberOf(b) * 7) % 20));
    if (last === undefined) throw new Error("There are no tasks.");
    for (const [done, task] of others.entries()) {
      if (done % 5 === 0) await between();
      const failing = numberOf(task) % 6 === 5;
      expect(await worker.result(task, failing ? PERMANENT : {})).toMatchObject({
        status: "parallel_branch_result_accepted",
      });
      expect(await worker.result(task)).toMatchObject({ status: "ignored", reason: "stale_task" });
    }
    await between();
    const failed = [5, 11, 17].map(() => ({ code: "PERMANENT_ERROR", message: "broken" }));
    expect(await viewJob(id)).toMatchObject({ progress: 19 / 20, branches: { total: 20, done: 19, failed: 3 } });
    await worker.result(last);
    expect(await worker.result(last)).toMatchObject({ status: "ignored", reason: "job_already_terminated" });
    await between();
    await expectJob(id, { status: "finished", result: { order: numbers(20), succeeded: 17, failed } });
    expect(aggregatorRuns.get(id)).toBe(1);
  });

  test("tries each branch again by itself, and a branch that keeps failing is one failed result", async () => {
    const { id, worker, tasks } = await handedOver(3);
    const [failing, succeeding, recovering] = tasks;
    if (failing === undefined || succeeding === undefined || recovering === undefined)
      throw new Error("Too few tasks.");
    await worker.result(recovering, TRANSIENT);
    await worker.result(succeeding);
    await worker.result(failing, TRANSIENT);
    for (let attempt = 2; attempt <= 4; attempt += 1) {
      await between();
      expect(await jobAlarm(id, BACKOFF_MS)).toBe(true);
      for (let due = attempt === 2 ? 2 : 1; due > 0; due -= 1) {
        const task = await worker.task();
        expect(task.attempt).toBe(attempt);
        await between();
        await worker.result(task, task.task_id === failing.task_id ? TRANSIENT : {});
      }
    }
    await between();
    await expectJob(id, {
      status: "finished",
      result: { order: numbers(3), succeeded: 2, failed: [{ code: "TRANSIENT_ERROR", message: "busy" }] },
    });
  });

  test("of 1,000 whose results are posted at once is aggregated once", { timeout: 60_000 }, async () => {
    const type = unique();
    const workers: WorkerSocket[] = [];
    for (let n = 0; n < 20; n += 1) workers.push(await socketWorker([type], { slots: 50 }));
    const id = await createJob("fan-out", { type, count: 1_000 });
    const held = await Promise.all(
      workers.map(async (worker) => {
        const tasks: TaskPayload[] = [];
        while (tasks.length < 50) tasks.push(await worker.task());
        return { worker, tasks };
      }),
    );
    await between();
    const answers = await Promise.all(
      held.flatMap(({ worker, tasks }) => tasks.map((task) => postResult(worker.workerId, resultOf(task)))),
    );
    const ended = { status: 200, body: { status: "parallel_branch_result_accepted" } };
    for (const { status, body } of answers) expect({ status, body }).toEqual(ended);
    await between();
    await expectJob(id, { status: "finished", result: { order: numbers(1_000), succeeded: 1_000 } });
    expect(aggregatorRuns.get(id)).toBe(1);
  });

  test("may follow another; each is counted by itself", async () => {
    const type = unique();
    const worker = await socketWorker([type], { slots: 5 });
    const id = await createJob("two-rounds", { type, counts: [2, 3] });
    for (const task of [await worker.task(), await worker.task()]) await worker.result(task);
    const [first, ...others] = [await worker.task(), await worker.task(), await worker.task()];
    await between();
    expect(await viewJob(id)).toMatchObject({ branches: { total: 3, done: 0, failed: 0 } });
    for (const task of others) await worker.result(task);
    await between();
    expect(await viewJob(id)).toMatchObject({ branches: { total: 3, done: 2, failed: 0 } });
    if (first !== undefined) await worker.result(first);
    await between();
    await expectJob(id, { status: "finished", result: { first: 2, second: 3 } });
  });
});

test("branches wait for a worker like any task", async () => {
  const type = unique();
  const id = await createJob("fan-out", { type, count: 3 });
  expect(await viewJob(id)).toMatchObject({ branches: { total: 3, done: 0 } });
  const worker = await socketWorker([type]);
  await register(worker.workerId, { supported_tasks: [type] });
  for (let n = 0; n < 3; n += 1) await worker.result(await worker.task());
  await expectJob(id, { status: "finished", result: { order: numbers(3) } });
});
