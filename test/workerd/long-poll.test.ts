import { evictAllDurableObjects } from "cloudflare:test";
import { exports } from "cloudflare:workers";
import { taskPayload } from "@batuta/worker/protocol";
import { describe, expect, test } from "vitest";
import { handOver, pollTask } from "../../src/http/routes/long-poll.ts";
import { call, createJob, expectJob, request, unique, WORKER } from "../support/workerd-api.ts";
import { pass, shardAlarm, WAYS } from "../support/workerd-clock.ts";
import { whereabouts } from "../support/workerd-objects.ts";
import { poll, pollLine, postResult, register, resultOf, waitForPoll } from "../support/workerd-worker.ts";

/** A registered worker, by its id, and a task type only it takes. */
async function pollingWorker() {
  const [type, workerId] = [unique(), unique()];
  await register(workerId, { supported_tasks: [type] });
  return { type, workerId };
}

/** The shard's side of a poll, without the edge that would confirm the task; resolves with the task it brings. */
async function openLine(workerId: string) {
  const line = await pollLine(workerId);
  const task = new Promise<string>((resolve) => {
    line.addEventListener("message", ({ data }) => resolve(String(data)));
  });
  line.accept();
  return { line, task: task.then((text) => taskPayload.parse(JSON.parse(text))) };
}

describe.each(WAYS)("a long poll, %s,", (_, between) => {
  test("brings one task and leaves the next to the next poll", async () => {
    const { type, workerId } = await pollingWorker();
    const polled = poll(workerId);
    await waitForPoll(workerId);
    await between();
    const ids = [await createJob("one-task", { type }), await createJob("one-task", { type })];
    const [first, second] = [await polled, await between().then(() => poll(workerId))];
    expect([first?.job_id, second?.job_id]).toEqual(ids);
    for (const task of [first, second]) {
      if (task !== null) expect(await postResult(workerId, resultOf(task))).toMatchObject({ status: 200 });
    }
    for (const id of ids) await expectJob(id, { status: "finished" });
  });

  test("is answered 204 when no task comes in time", async () => {
    const { workerId } = await pollingWorker();
    await between();
    const path = `/_worker/workers/${workerId}/tasks/next`;
    expect(await call("GET", `${path}?timeout=0`, { headers: WORKER })).toMatchObject({ status: 204, body: null });
    expect(await call("GET", `${path}?timeout=0.05`, { headers: WORKER })).toMatchObject({ status: 204, body: null });
    expect(await call("GET", `${path}?timeout=soon`, { headers: WORKER })).toMatchObject({ status: 400 });
  });

  test("with an empty timeout waits as one without", async () => {
    const { type, workerId } = await pollingWorker();
    await between();
    const polled = call("GET", `/_worker/workers/${workerId}/tasks/next?timeout=`, { headers: WORKER });
    const id = await createJob("one-task", { type });
    expect(await polled).toMatchObject({ status: 200, body: { job_id: id } });
  });

  test("whose line closes before the task was taken gives the task back", async () => {
    const { type, workerId } = await pollingWorker();
    const { line, task } = await openLine(workerId);
    await between();
    const id = await createJob("one-task", { type });
    expect(await task).toMatchObject({ job_id: id, attempt: 1 });
    await between();
    line.close(1000, "gone");
    await expectJob(id, { current_task_info: { attempt: 2 } });
    await between();
    const again = await poll(workerId);
    expect(again).toMatchObject({ job_id: id, attempt: 2 });
    if (again !== null) await postResult(workerId, resultOf(again));
    await expectJob(id, { status: "finished" });
  });

  test("whose line closes after the task was taken leaves the task with its worker", async () => {
    const { type, workerId } = await pollingWorker();
    const { line, task } = await openLine(workerId);
    const id = await createJob("one-task", { type });
    const taken = await task;
    expect(taken.job_id).toBe(id);
    await between();
    line.send("taken");
    line.close(1000, "done");
    await between();
    expect(await whereabouts(taken)).toMatchObject({ is: "held" });
    await expectJob(id, { current_task_info: { attempt: 1 } });
  });

  test("ends when the same worker polls anew", async () => {
    const { type, workerId } = await pollingWorker();
    const older = poll(workerId, 30);
    await waitForPoll(workerId);
    await between();
    const newer = poll(workerId, 30);
    expect(await older).toBeNull();
    await between();
    const id = await createJob("one-task", { type });
    expect(await newer).toMatchObject({ job_id: id, attempt: 1 });
  });
});

describe("a worker that says in its load how many tasks it has", () => {
  const beat = (workerId: string, type: string, more: object) =>
    call("PATCH", `/_worker/workers/${workerId}`, {
      headers: WORKER,
      json: { status: "idle", supported_tasks: [type], hot_cache: [], ...more },
    });

  /** Polls a task, of which the worker's heartbeats then speak in these words, one after another. */
  async function polledThen(...beats: readonly object[]) {
    const { type, workerId } = await pollingWorker();
    const id = await createJob("one-task", { type });
    await poll(workerId);
    for (const more of beats) {
      expect(await beat(workerId, type, more)).toMatchObject({ status: 200 });
      pass(6_000);
    }
    await shardAlarm();
    return id;
  }

  test("is offered anew what never reached it", async () => {
    await expectJob(await polledThen({ load: 1 }, { load: 0 }), { current_task_info: { attempt: 2 } });
  });

  test.each([
    ["when its load never agreed with what it has", [{ load: 0 }, { load: 0 }]],
    ["when its load is that of its machine", [{ load: 0.7 }, { load: 0 }]],
    ["while it is busy", [{ load: 1 }, { load: 0, status: "busy" }]],
    ["while it says so", [{ load: 1 }, { load: 1 }]],
  ])("keeps its task %s", async (_, beats) => {
    await expectJob(await polledThen(...beats), { current_task_info: { attempt: 1 } });
  });
});

test("a task is not brought to a caller that has hung up", async () => {
  const { type, workerId } = await pollingWorker();
  const caller = new AbortController();
  const path = `/_worker/workers/${workerId}/tasks/next?timeout=30`;
  const polled = exports.default.fetch(
    new Request(request("GET", path, { headers: WORKER }), { signal: caller.signal }),
  );
  await waitForPoll(workerId);
  caller.abort();
  await expect(polled).rejects.toThrow();
  const id = await createJob("one-task", { type });
  expect(await poll(workerId)).toMatchObject({ job_id: id });
});

test("a caller that had hung up before its poll began to wait holds no task back", async () => {
  const { type, workerId } = await pollingWorker();
  const id = await createJob("one-task", { type });
  const line = await pollLine(workerId);
  expect(await pollTask(line, 30_000, AbortSignal.abort())).toBeNull();
  expect(await poll(workerId)).toMatchObject({ job_id: id, attempt: 2 });
});

describe("a task that comes after a while", () => {
  /** A poll that has its task after long enough a wait for its caller to be asked whether it is there. */
  async function lateTask(callerGone: AbortSignal) {
    const { type, workerId } = await pollingWorker();
    const line = await pollLine(workerId);
    const polled = pollTask(line, 30_000, callerGone);
    pass(1_000);
    const id = await createJob("one-task", { type });
    const task = await polled;
    if (task === null) throw new Error("There was no task.");
    return { id, workerId, task };
  }

  test("is given to a caller that is there", async () => {
    const { id, workerId, task } = await lateTask(new AbortController().signal);
    const answer = handOver(task, new AbortController().signal, () => {});
    expect(answer.headers.get("Content-Type")).toContain("application/json");
    expect(await answer.json()).toMatchObject({ job_id: id, attempt: 1 });
    await evictAllDurableObjects({ webSockets: "hibernate" });
    expect(await whereabouts(taskPayload.parse(JSON.parse(task.text)))).toMatchObject({ is: "held", workerId });
  });

  test("goes to the next poll when the caller turns out to be gone", async () => {
    const caller = new AbortController();
    const { id, workerId, task } = await lateTask(caller.signal);
    const answer = handOver(task, caller.signal, () => {});
    const reader = answer.body?.getReader();
    expect((await reader?.read())?.value).toEqual(new TextEncoder().encode("\n"));
    caller.abort();
    expect(await poll(workerId)).toMatchObject({ job_id: id, attempt: 2 });
  });
});
