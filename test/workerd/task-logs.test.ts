import { env } from "cloudflare:workers";
import type { JobLogLine, TaskPayload } from "@batuta/worker/protocol";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { pruneWindow } from "../../src/history/prune.ts";
import { MAX_LOG_LINES, MAX_TASK_LOG_LINES } from "../../src/limits.ts";
import { ALICE, type Answer, BOB, call, createJob, expectJob, unique, WORKER } from "../support/workerd-api.ts";
import { deliver, jobAlarm, pass, WAYS } from "../support/workerd-clock.ts";
import { jobObject } from "../support/workerd-objects.ts";
import { polledTask, postResult, resultOf, socketWorker } from "../support/workerd-worker.ts";

const DAY_MS = 86_400_000;

const shownLine = z.strictObject({
  at: z.number(),
  level: z.string(),
  message: z.string(),
  fields: z.unknown(),
  task_id: z.string(),
  worker_id: z.string(),
  attempt: z.number(),
});

const info = (at: number, message: string): JobLogLine => ({ at, level: "info", message });
const many = (count: number, from = 0) => Array.from({ length: count }, (_, n) => info(from + n, `line ${from + n}`));

function frame({ job_id, task_id }: TaskPayload, lines: readonly JobLogLine[]) {
  return { type: "log", job_id, task_id, lines };
}

function post(workerId: string, { job_id, task_id }: TaskPayload, lines: readonly unknown[]): Promise<Answer> {
  return call("POST", "/_worker/tasks/log", { headers: WORKER, json: { worker_id: workerId, job_id, task_id, lines } });
}

const read = (jobId: string, query = "", headers: Record<string, string> = ALICE) =>
  call("GET", `/api/v1/jobs/${jobId}/logs${query}`, { headers });

/** Brings to the database what the job and its workers have said so far. */
async function settle(jobId: string): Promise<void> {
  await jobAlarm(jobId, 60_000);
  await deliver("history", 2_000);
}

async function messagesIn(jobId: string, query = ""): Promise<string[]> {
  await settle(jobId);
  return z
    .array(shownLine)
    .parse((await read(jobId, query)).body)
    .map(({ message }) => message);
}

/** A worker with a socket that has a task. */
async function working() {
  const type = unique();
  const worker = await socketWorker([type]);
  const id = await createJob("one-task", { type });
  return { id, type, worker, task: await worker.task() };
}

describe.each(WAYS)("the log of a job, %s,", (_, between) => {
  test("has what the worker of its task says over its socket, in order", async () => {
    const { id, worker, task } = await working();
    await between();
    worker.send(
      frame(task, [{ ...info(1_000, "begun"), fields: { size: 3 } }, info(1_000, "read"), info(1_001, "cut")]),
    );
    worker.send(frame(task, [{ at: 1_002, level: "error", message: "oh" }]));
    expect(await worker.rest()).toEqual([]);
    expect(await messagesIn(id)).toEqual(["begun", "read", "cut", "oh"]);
    const { status, body } = await read(id);
    expect(status).toBe(200);
    expect(z.array(shownLine).parse(body)[0]).toEqual({
      at: 1_000,
      level: "info",
      message: "begun",
      fields: { size: 3 },
      task_id: task.task_id,
      worker_id: worker.workerId,
      attempt: 1,
    });
  });

  test("has what a polling worker posts, once however often it is posted", async () => {
    const { id, workerId, task } = await polledTask();
    await between();
    const accepted = { status: 200, body: { status: "log_accepted", lines: 2 } };
    expect(await post(workerId, task, many(2))).toMatchObject(accepted);
    await between();
    expect(await post(workerId, task, many(2))).toMatchObject(accepted);
    expect(await messagesIn(id)).toEqual(["line 0", "line 1"]);
    await postResult(workerId, resultOf(task));
    await expectJob(id, { status: "finished" });
    await between();
    expect(await messagesIn(id)).toEqual(["line 0", "line 1"]);
  });

  test("is closed to all but the worker that has the task", async () => {
    const { id, worker, task } = await working();
    const other = await socketWorker([unique()]);
    await between();
    other.send(frame(task, many(1)));
    expect(await other.next("error")).toMatchObject({ code: "log_refused" });
    const ignored = { status: 200, body: { status: "ignored", lines: 0 } };
    expect(await post(other.workerId, task, many(1))).toMatchObject(ignored);
    expect(await post(worker.workerId, { ...task, job_id: unique() }, many(1))).toMatchObject(ignored);
    expect(await post(worker.workerId, { ...task, task_id: unique() }, many(1))).toMatchObject(ignored);
    expect(await messagesIn(id)).toEqual([]);
  });

  test("is read in pages, of one task or of all", async () => {
    const type = unique();
    const worker = await socketWorker([type], { slots: 2 });
    const id = await createJob("fan-out", { type, count: 2 });
    const [one, two] = [await worker.task(), await worker.task()];
    await between();
    worker.send(frame(one, [info(1, "a"), info(1, "b"), info(3, "d")]));
    worker.send(frame(two, [info(2, "c")]));
    await worker.rest();
    expect(await messagesIn(id)).toEqual(["a", "b", "c", "d"]);
    expect(await messagesIn(id, `?task_id=${two.task_id}`)).toEqual(["c"]);
    const pages: string[][] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const { headers, body } = await read(id, `?limit=1${cursor === "" ? "" : `&cursor=${cursor}`}`);
      pages.push(
        z
          .array(shownLine)
          .parse(body)
          .map(({ message }) => message),
      );
      cursor = headers.get("X-Next-Cursor");
    }
    expect(pages).toEqual([["a"], ["b"], ["c"], ["d"]]);
    expect(await read(id, "?cursor=nonsense")).toMatchObject({ status: 400 });
    expect(await read(id, "?limit=0")).toMatchObject({ status: 400 });
  });
});

test("the log of another client's job is not there", async () => {
  const { id, worker, task } = await working();
  worker.send(frame(task, many(1)));
  await worker.rest();
  await settle(id);
  expect(await read(id, "", BOB)).toMatchObject({ status: 404, body: { code: "job_not_found" } });
  expect(await read(unique())).toMatchObject({ status: 404 });
  expect((await read(id, "", {})).status).toBe(401);
});

test("a worker's last lines may come after its result, but not much later", async () => {
  const { id, worker, task } = await working();
  await worker.result(task);
  worker.send(frame(task, [info(1, "done")]));
  expect(await worker.rest()).toEqual([]);
  expect(await messagesIn(id)).toEqual(["done"]);
  pass(61_000);
  worker.send(frame(task, [info(2, "late")]));
  expect(await worker.next("error")).toMatchObject({ code: "log_refused" });
});

test("a log that is full says so once, and takes nothing more", async () => {
  const { id, worker, task } = await working();
  for (let from = 0; from < MAX_TASK_LOG_LINES; from += MAX_LOG_LINES) {
    expect(await post(worker.workerId, task, many(MAX_LOG_LINES, from))).toMatchObject({
      body: { status: "log_accepted", lines: MAX_LOG_LINES },
    });
  }
  expect(await post(worker.workerId, task, many(1, MAX_TASK_LOG_LINES))).toMatchObject({
    body: { lines: 0, message: `The log of a task takes ${MAX_TASK_LOG_LINES} lines an attempt.` },
  });
  await settle(id);
  const { results } = await env.HISTORY_DB.prepare("SELECT level, message FROM job_logs WHERE job_id = ?")
    .bind(id)
    .all<{ level: string; message: string }>();
  expect(results).toHaveLength(MAX_TASK_LOG_LINES + 1);
  expect(results.filter(({ level }) => level === "warn")).toMatchObject([
    { message: expect.stringContaining("is full") },
  ]);
});

test("what is no log is answered 400, and too many lines at once are cut", async () => {
  const { worker, task } = await working();
  expect(await post(worker.workerId, task, ["text"])).toMatchObject({ status: 400 });
  expect(await post(worker.workerId, task, many(MAX_LOG_LINES + 1))).toMatchObject({
    body: { lines: MAX_LOG_LINES, message: `${MAX_LOG_LINES} lines are taken at once.` },
  });
});

test("a log is read while its job is in the archive, and forgotten with the job's history", async () => {
  const { id, worker, task } = await working();
  worker.send(frame(task, many(2)));
  await worker.result(task);
  await expectJob(id, { status: "finished" });
  await settle(id);
  await jobAlarm(id, 400 * DAY_MS);
  expect(await jobObject(id).view("alice")).toBeNull();
  expect(await messagesIn(id)).toEqual(["line 0", "line 1"]);
  await pruneWindow(env.HISTORY_DB, env.PAYLOADS, id.slice(0, 2), Date.now());
  expect(await read(id)).toMatchObject({ status: 404 });
  const left = env.HISTORY_DB.prepare("SELECT count(*) AS lines FROM job_logs WHERE job_id = ?").bind(id);
  expect(await left.first("lines")).toBe(0);
});
