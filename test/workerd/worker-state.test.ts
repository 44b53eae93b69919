import { describe, expect, test } from "vitest";
import { taskPayload } from "@batuta/worker/protocol";
import { z } from "zod";
import { ALICE, call, createJob, eventually, unique } from "../support/workerd-api.ts";
import { WAYS } from "../support/workerd-clock.ts";
import { whereabouts } from "../support/workerd-objects.ts";
import { openSocket, poll, postResult, register, resultOf, socketWorker } from "../support/workerd-worker.ts";

const refTo = (job_id: string) => ({ job_id, task_id: `${job_id}-1`, attempt: 1 });

/** Jobs of one task each, of these types, all on offer. */
async function jobsOf(types: readonly string[]): Promise<string[]> {
  const jobs: string[] = [];
  for (const type of types) jobs.push(await createJob("one-task", { type }));
  for (const id of jobs) await eventually(async () => (await whereabouts(refTo(id)))?.is).not.toBe("unknown");
  return jobs;
}

async function shownOf(workerId: string) {
  const { body } = await call("GET", "/api/v1/workers", { headers: ALICE });
  return z
    .array(z.looseObject({}))
    .parse(body)
    .find((worker) => worker["worker_id"] === workerId);
}

describe.each(WAYS)("over its socket a worker says, %s,", (_, between) => {
  test("how many tasks of some types it takes at once: it never gets more", async () => {
    const [gpu, gpuToo, cpu] = [unique(), unique(), unique()];
    const worker = await socketWorker([gpu, gpuToo, cpu], {
      slots: 3,
      task_limits: [{ tasks: [gpu, gpuToo], max: 1 }],
    });
    await between();
    const [first, second, other] = await jobsOf([gpu, gpuToo, cpu]);
    const gpuTask = await worker.task();
    expect(gpuTask).toMatchObject({ job_id: first });
    expect(await worker.task()).toMatchObject({ job_id: other });
    await between();
    expect(await worker.rest()).toEqual([]);
    await worker.result(gpuTask);
    expect(await worker.task()).toMatchObject({ job_id: second });
  });

  test("of a task it holds from before, of which type it is", async () => {
    const gpu = unique();
    const limits = { slots: 3, task_limits: [{ tasks: [gpu], max: 1 }] };
    const worker = await socketWorker([gpu], limits);
    await jobsOf([gpu, gpu]);
    const task = await worker.task();
    await worker.close();
    await between();
    const back = await openSocket(worker.workerId);
    await back.hello([gpu], { ...limits, holding: [task] });
    await between();
    expect(await back.rest()).toEqual([]);
  });

  test("which types it takes now", async () => {
    const [one, other] = [unique(), unique()];
    const worker = await socketWorker([one, other], { slots: 3 });
    worker.send({ type: "state", supported_tasks: [other] });
    expect(await worker.rest()).toEqual([]);
    await between();
    const [waits, goes] = await jobsOf([one, other]);
    expect(await worker.task()).toMatchObject({ job_id: goes });
    await between();
    expect(await worker.rest()).toEqual([]);
    worker.send({ type: "state", supported_tasks: [one, other] });
    expect(await worker.task()).toMatchObject({ job_id: waits });
  });

  test("that it drains, and that it is back", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    worker.send({ type: "state", status: "draining" });
    expect(await worker.rest()).toEqual([]);
    await between();
    const [job] = await jobsOf([type]);
    expect(await worker.rest()).toEqual([]);
    await between();
    worker.send({ type: "state", status: "idle" });
    expect(await worker.task()).toMatchObject({ job_id: job });
  });

  test("that it drains, which a new hello ends", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    worker.send({ type: "state", status: "draining" });
    expect(await worker.rest()).toEqual([]);
    await worker.close();
    await between();
    const [job] = await jobsOf([type]);
    const back = await openSocket(worker.workerId);
    await back.hello([type]);
    expect(await back.task()).toMatchObject({ job_id: job });
  });

  test("what it has loaded: the task goes there", async () => {
    const type = unique();
    const cold = await socketWorker([type]);
    const warm = await socketWorker([type]);
    warm.send({ type: "state", hot_cache: [type], hot_skills: ["paint"] });
    expect(await warm.rest()).toEqual([]);
    await between();
    expect(await shownOf(warm.workerId)).toMatchObject({ hot_cache: [type], hot_skills: ["paint"] });
    const [job] = await jobsOf([type]);
    expect(await warm.task()).toMatchObject({ job_id: job });
    expect(await cold.rest()).toEqual([]);
  });
});

test.each(WAYS)("a polling worker's limits count as well, %s", async (_, between) => {
  const [gpu, cpu, workerId] = [unique(), unique(), unique()];
  await register(workerId, { supported_tasks: [gpu, cpu], task_limits: [{ tasks: [gpu], max: 1 }] });
  const [first, second, other] = await jobsOf([gpu, gpu, cpu]);
  const task = taskPayload.parse(await poll(workerId));
  expect(task).toMatchObject({ job_id: first });
  await between();
  expect(await poll(workerId)).toMatchObject({ job_id: other });
  await between();
  await postResult(workerId, resultOf(task));
  expect(await poll(workerId)).toMatchObject({ job_id: second });
});
