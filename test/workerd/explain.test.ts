import { describe, expect, test } from "vitest";
import { ALICE, BOB, call, createJob, eventually, expectJob, unique, WORKER } from "../support/workerd-api.ts";
import { WAYS } from "../support/workerd-clock.ts";
import { shardRows } from "../support/workerd-objects.ts";
import { poll, postResult, register, resultOf, socketWorker } from "../support/workerd-worker.ts";

const explain = async (id: string) => (await call("GET", `/api/v1/jobs/${id}/explain`, { headers: ALICE })).body;

describe.each(WAYS)("why a job does not move, %s,", (_, between) => {
  test("is told for each worker that takes the type", async () => {
    const type = unique();
    const [small, full, other] = [unique(), unique(), unique()];
    await register(small, { supported_tasks: [type], resources: { gpu_info: { model: "T4", vram_gb: 16 } } });
    const worker = await socketWorker([type], { workerId: full });
    await register(full, { supported_tasks: [type], resources: { gpu_info: { model: "T4", vram_gb: 48 } } });
    await register(other, { supported_tasks: [unique()] });
    const needs = { gpu_info: { vram_gb: 24 } };
    await createJob("one-task", { type, needs });
    await worker.task();
    const id = await createJob("one-task", { type, needs });
    await eventually(() => shardRows("waiting", id)).toBe(1);
    await between();
    expect(await explain(id)).toMatchObject({
      job_id: id,
      status: "waiting_for_worker",
      waits_for: "worker",
      summary: expect.stringContaining("no worker can take it now"),
      tasks: [
        {
          task_id: `${id}-1`,
          is: "waiting",
          queue: { about_ahead: 0, place_among_own: 1, own_waiting: 1, all_waiting: 1 },
          blocked_by: null,
          workers: [
            { worker_id: full, ruled_out: "has 1 of 1 tasks at once" },
            { worker_id: small, ruled_out: "vram 16 < 24" },
          ],
        },
      ],
      next: [{ what: "the job asks the registry after its tasks, and offers anew what is lost" }],
    });
  });

  test("is told first of the workers that the task names", async () => {
    const type = unique();
    const [named, nobody, other] = [`zz-${unique()}`, unique(), `aa-${unique()}`];
    await register(named, { supported_tasks: [type] });
    await register(other, { supported_tasks: [type] });
    const id = await createJob("one-task", { type, tags: ["a"], only: [nobody, named] });
    await eventually(() => shardRows("waiting", id)).toBe(1);
    await between();
    const workers = [
      { worker_id: named, ruled_out: "has no tag a" },
      { worker_id: nobody, ruled_out: "is not registered here" },
      { worker_id: other, ruled_out: "is not one of the workers that the task asks for" },
    ];
    expect(await explain(id)).toMatchObject({
      summary: expect.stringContaining(`${named}: has no tag a; ${nobody}: is not registered here`),
      tasks: [{ workers }],
    });
  });

  test("names the worker that has the task, and nothing once the job has ended", async () => {
    const [type, workerId] = [unique(), unique()];
    await register(workerId, { supported_tasks: [type] });
    const id = await createJob("one-task", { type });
    const task = await poll(workerId);
    await between();
    expect(await explain(id)).toMatchObject({ tasks: [{ is: "with_worker", worker_id: workerId }] });
    if (task !== null) await postResult(workerId, resultOf(task));
    await expectJob(id, { status: "finished" });
    await between();
    expect(await explain(id)).toMatchObject({ waits_for: "nothing", tasks: [], next: [] });
  });
});

test("is told to the job's own client only", async () => {
  const id = await createJob("one-task", { type: unique() });
  expect(await call("GET", `/api/v1/jobs/${id}/explain`, { headers: BOB })).toMatchObject({ status: 404 });
  expect(await call("GET", `/api/v1/jobs/${id}/explain`)).toMatchObject({ status: 401 });
  expect(await call("GET", "/api/v1/jobs/nothing/explain", { headers: ALICE })).toMatchObject({ status: 404 });
});

test("a worker that is full, and names no type then, is still known to take it", async () => {
  const [type, workerId] = [unique(), unique()];
  await register(workerId, { supported_tasks: [type] });
  const path = `/_worker/workers/${workerId}`;
  await call("PATCH", path, { headers: WORKER, json: { status: "busy", supported_tasks: [] } });
  const id = await createJob("one-task", { type });
  await eventually(() => shardRows("waiting", id)).toBe(1);
  expect(await explain(id)).toMatchObject({
    tasks: [{ workers: [{ worker_id: workerId, ruled_out: `takes no ${type} at present` }] }],
  });
});
