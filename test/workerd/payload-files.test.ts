import type { TaskPayload } from "@batuta/worker/protocol";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { ALICE, call, createJob, expectJob, unique, viewJob } from "../support/workerd-api.ts";
import { jobAlarm, WAYS } from "../support/workerd-clock.ts";
import { poll, postResult, register, resultOf, socketWorker } from "../support/workerd-worker.ts";

const A = "s3://photos/a.png";
const B = "s3://photos/b.png";
const ofA = { uri: A, size: 3, etag: '"aa"', sha256: "aa", metadata: { by: "camera" } };
const ofB = { uri: B, size: 4, etag: '"bb"' };

const filesOf = ({ params_metadata: files }: TaskPayload) => files;

async function createWith(endpoint: string, body: object): Promise<string> {
  const { status, body: answer } = await call("POST", `/api/v1/jobs/${endpoint}`, { headers: ALICE, json: body });
  expect(status).toBe(202);
  return z.object({ job_id: z.string() }).parse(answer).job_id;
}

describe.each(WAYS)("what is known of files, %s,", (_, between) => {
  test("goes from the result of one task to the next task that gets the file, over sockets", async () => {
    const type = unique();
    const [maker, user] = [await socketWorker([`${type}-make`]), await socketWorker([`${type}-use`])];
    const id = await createJob("relay", { type });
    const made = await maker.task();
    expect(Object.keys(made)).not.toContain("params_metadata");
    await between();
    await maker.result(made, { data: { file: A, other: B }, data_metadata: { file: ofA, other: ofB } });
    const used = await user.task();
    expect(filesOf(used)).toEqual({ "deep.0.file": ofA });
    expect((await viewJob(id))["data_metadata"]).toEqual({ [A]: ofA, [B]: ofB });
    await between();
    await user.result(used);
    await expectJob(id, { status: "finished", data_metadata: { [A]: ofA, [B]: ofB } });
  });

  test("waits with the task for its worker, and comes again with its next attempt", async () => {
    const [type, workerId] = [unique(), unique()];
    const maker = await socketWorker([`${type}-make`]);
    const id = await createJob("relay", { type });
    // Beside the result, where the SDK puts it.
    const { job_id, task_id, attempt, lease } = await maker.task();
    const said = { job_id, task_id, attempt, lease, result: { data: { file: A } }, data_metadata: { file: ofA } };
    expect((await postResult(maker.workerId, said)).status).toBe(200);
    await expectJob(id, { current_state: "use", status: "waiting_for_worker" });
    await between();
    await register(workerId, { supported_tasks: [`${type}-use`] });
    const used = await poll(workerId);
    expect(used && filesOf(used)).toEqual({ "deep.0.file": ofA });
    await between();
    if (used !== null) await postResult(workerId, resultOf(used, { status: "failure", error: "busy" }));
    await jobAlarm(id, 2_000);
    const again = await poll(workerId);
    expect(again).toMatchObject({ task_id: used?.task_id, attempt: 2 });
    expect(again && filesOf(again)).toEqual({ "deep.0.file": ofA });
  });

  test("goes through fan-outs and children, in and out", async () => {
    const type = unique();
    const worker = await socketWorker([type], { slots: 2 });
    const id = await createWith("relay-further", {
      initial_data: { type, file: A },
      data_metadata: { file: { size: 3 } },
    });
    expect((await viewJob(id))["data_metadata"]).toEqual({ [A]: { uri: A, size: 3 } });
    const parts = [await worker.task(), await worker.task()];
    expect(parts.map(filesOf)).toEqual([{ file: { uri: A, size: 3 } }, { file: { uri: A, size: 3 } }]);
    await between();
    for (const [i, part] of parts.entries()) {
      await worker.result(part, {
        data: { at: `s3://parts/${i}` },
        data_metadata: { at: { uri: `s3://parts/${i}`, size: i } },
      });
      await between();
    }
    const ofChild = await worker.task();
    expect(ofChild.job_id).not.toBe(id);
    expect(filesOf(ofChild)).toEqual({
      "file.0.at": { uri: "s3://parts/0", size: 0 },
      "file.1.at": { uri: "s3://parts/1", size: 1 },
    });
    await between();
    await worker.result(ofChild, { data: { file: B }, data_metadata: { file: ofB } });
    const last = await worker.task();
    expect(last.job_id).toBe(id);
    expect(filesOf(last)).toEqual({ "child.result.file": ofB });
    await between();
    await worker.result(last);
    await expectJob(id, { status: "finished" });
    expect(Object.keys(Object((await viewJob(id))["data_metadata"]))).toEqual([A, "s3://parts/0", "s3://parts/1", B]);
  });

  test("fails the job when a worker finds another file", async () => {
    const type = unique();
    const worker = await socketWorker([`${type}-make`, `${type}-use`]);
    const id = await createJob("relay", { type });
    await worker.result(await worker.task(), { data: { file: A }, data_metadata: { file: ofA } });
    const used = await worker.task();
    await between();
    const error = { code: "INTEGRITY_MISMATCH_ERROR", message: "its size is 4, not 3" };
    await worker.result(used, { status: "failure", error });
    await expectJob(id, {
      status: "failed",
      error_message: "Task failed due to data integrity mismatch: its size is 4, not 3",
    });
    await between();
    // A job that is retried still knows what the file was.
    expect((await call("POST", `/api/v1/jobs/${id}/retry`, { headers: ALICE, json: {} })).status).toBe(200);
    expect(filesOf(await worker.task())).toEqual({ "deep.0.file": ofA });
  });
});

test("a result whose data_metadata is malformed is refused with the reason, and one that is too much fails its task", async () => {
  const type = unique();
  const worker = await socketWorker([`${type}-make`]);
  const id = await createJob("relay", { type });
  const task = await worker.task();
  const { job_id, task_id } = task;
  const bad = { job_id, task_id, status: "success", data: {}, data_metadata: { file: { uri: A, size: "3" } } };
  expect(await postResult(worker.workerId, bad)).toMatchObject({
    status: 400,
    body: { details: [{ path: "result.data_metadata.file.size" }] },
  });
  await expectJob(id, { status: "waiting_for_worker" });
  const many = Object.fromEntries(
    Array.from({ length: 4_000 }, (_, i) => [`f${i}`, { uri: `s3://a/${i}`, sha256: "f".repeat(64) }]),
  );
  expect(await postResult(worker.workerId, { ...bad, data_metadata: many })).toMatchObject({ status: 200 });
  await expectJob(id, { status: "quarantined", error_message: expect.stringContaining("262144 are allowed") });
});

test("a client's data_metadata is refused where it is of no file", async () => {
  const json = { initial_data: { type: "t", file: A }, data_metadata: { fiel: { size: 3 } } };
  expect(await call("POST", "/api/v1/jobs/relay", { headers: ALICE, json })).toMatchObject({
    status: 400,
    body: { code: "bad_request", details: [{ path: "data_metadata.fiel" }] },
  });
  const batch = { jobs: [{ blueprint: "relay", ...json }] };
  expect((await call("POST", "/api/v1/batch", { headers: ALICE, json: batch })).body).toMatchObject({
    jobs: [{ code: "bad_request" }],
  });
});
