import {
  createExecutionContext,
  evictAllDurableObjects,
  runInDurableObject,
  waitOnExecutionContext,
} from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { app } from "../../src/app.ts";
import { call, createJob, eventually, expectJob, request, unique, viewJob, WORKER } from "../support/workerd-api.ts";
import { pass, WAYS } from "../support/workerd-clock.ts";
import { frameSigner, signedMessage } from "../support/signed-message.ts";
import { shard } from "../support/workerd-objects.ts";
import { flawOfTask } from "../../worker-sdk/src/tasks/task-trust.ts";
import { poll, resultOf, WorkerSocket } from "../support/workerd-worker.ts";

const attachment = z.looseObject({ signing: z.object({ keys: z.string() }) });

async function upgrade(path: string, headers: Record<string, string> = WORKER) {
  return exports.default.fetch(request("GET", path, { headers: { Upgrade: "websocket", ...headers } }));
}

async function register(workerId: string, types: readonly string[], headers = WORKER, token = "worker-token") {
  const json = signedMessage({ worker_id: workerId, supported_tasks: types }, workerId, token);
  expect(await call("POST", "/_worker/workers/register", { headers, json })).toMatchObject({ status: 200 });
}

/** A socket whose worker signs with the token that opened it, and numbers its frames unless it gives no session. */
async function open(
  workerId: string,
  { session = null, token = "worker-token" }: { session?: string | null; token?: string } = {},
): Promise<WorkerSocket> {
  const query = session === null ? "" : `?session=${session}`;
  const { webSocket } = await upgrade(`/_worker/ws/${workerId}${query}`, { "X-Worker-Token": token });
  if (webSocket === null) throw new Error("The socket was refused.");
  const plain = (frame: object) => JSON.stringify(signedMessage(frame, workerId, token));
  return new WorkerSocket(workerId, webSocket, session === null ? plain : frameSigner(session, workerId, token));
}

const refusal = (error: string) => ({ code: "not_signed", error: expect.stringContaining(error) });

/** A worker that holds the task of a job. */
async function handedOver(session: string | null = unique()) {
  const [workerId, type] = [unique(), unique()];
  await register(workerId, [type]);
  const worker = await open(workerId, { session });
  await worker.hello([type]);
  const id = await createJob("one-task", { type });
  return { id, type, session: session ?? "", worker, task: await worker.task() };
}

describe.each(WAYS)("where messages must be signed, %s,", (_, between) => {
  test.each([
    ["numbers its frames", unique()],
    ["does not", null],
  ])("a worker that signs and %s does its tasks", async (_name, session) => {
    const { id, worker, task } = await handedOver(session);
    await between();
    worker.send({ type: "progress_update", job_id: id, task_id: task.task_id, progress: 0.5, message: "½" });
    await eventually(async () => (await viewJob(id)).progress).toBe(0.5);
    await between();
    expect(await worker.result(task, { data: { n: 1.5e-6 } })).toMatchObject({ status: "result_accepted_success" });
    await expectJob(id, { status: "finished", result: { n: 1.5e-6 } });
  });

  test("a frame without a signature changes nothing, and the worker is told what to set", async () => {
    const { id, type, worker, task } = await handedOver();
    await between();
    const { job_id, task_id } = task;
    for (const frame of [
      { type: "result", ...resultOf(task) },
      { type: "progress_update", job_id, task_id, progress: 0.5 },
      { type: "log", job_id, task_id, lines: [{ at: 1, level: "info", message: "unsigned" }] },
      { type: "event", event_id: "e", event_type: "e", target_job_id: job_id, target_task_id: task_id },
      { type: "hello", slots: 0, supported_tasks: [type] },
      { type: "state", slots: 0 },
      { type: "drain" },
    ]) {
      worker.send(JSON.stringify(frame));
      const { code, error } = await worker.next("error");
      expect({ code, error }).toEqual(refusal("Missing required timestamp"));
      expect(error).toContain("WORKER_SIGN_MESSAGES=true");
    }
    expect(await viewJob(id)).toMatchObject({ status: "waiting_for_worker", progress: null });
    await between();
    // Nothing is lost: the result counts once it is signed, and the worker takes its next task.
    expect(await worker.result(task)).toMatchObject({ status: "result_accepted_success" });
    await createJob("one-task", { type });
    expect(await worker.task()).toMatchObject({ type });
  });

  test("a frame that was changed, is old, or is another's is refused", async () => {
    const { worker, task, session } = await handedOver();
    const { workerId } = worker;
    const result = { type: "result", session, ...resultOf(task) };
    const late = Math.floor(Date.now() / 1000) - 61;
    await between();
    for (const [frame, error] of [
      [{ ...signedMessage({ ...result, seq: 9 }, workerId), attempt: 2 }, "Invalid cryptographic signature"],
      [signedMessage({ ...result, seq: 9 }, workerId, "another token"), "Invalid cryptographic signature"],
      [signedMessage({ ...result, seq: 9, timestamp: late }, workerId), "Message timestamp expired"],
      [signedMessage({ ...result, seq: 9 }, "other"), "Message signer ID 'other' does not match"],
      [signedMessage(result, workerId), "must have session and seq"],
      [signedMessage({ ...result, session: "earlier", seq: 9 }, workerId), "signed for another connection"],
    ] as const) {
      worker.send(JSON.stringify(frame));
      expect(await worker.next("error")).toMatchObject(refusal(error));
    }
    expect(await worker.result(task)).toMatchObject({ status: "result_accepted_success" });
  });

  test("no frame of a numbered connection is taken twice", async () => {
    const { id, worker, task, session } = await handedOver();
    const { job_id, task_id } = task;
    const progress = { type: "progress_update", session, job_id, task_id };
    const half = JSON.stringify(signedMessage({ ...progress, seq: 7, progress: 0.5 }, worker.workerId));
    worker.send(half);
    worker.send(JSON.stringify(signedMessage({ ...progress, seq: 8, progress: 0.75 }, worker.workerId)));
    await eventually(async () => (await viewJob(id)).progress).toBe(0.75);
    await between();
    worker.send(half);
    expect(await worker.next("error")).toMatchObject(refusal("replay protection"));
    expect(await viewJob(id)).toMatchObject({ progress: 0.75 });
  });

  test("a worker's own token signs, and the socket that took another's place is checked by its own key", async () => {
    const [workerId, token, type] = ["own-token", "individual-token", unique()];
    await register(workerId, [type], { "X-Worker-Token": token }, token);
    const first = await open(workerId, { session: unique(), token });
    await first.hello([type]);
    await createJob("one-task", { type });
    const task = await first.task();
    await between();
    const second = await open(workerId, { session: unique(), token });
    await between();
    await second.hello([type], { holding: [task] });
    second.send(JSON.stringify(signedMessage({ type: "result", ...resultOf(task) }, workerId)));
    expect(await second.next("error")).toMatchObject(refusal("Invalid cryptographic signature"));
    await between();
    expect(await second.result(task)).toMatchObject({ status: "result_accepted_success" });
    await second.close();
  });

  test("an event as the later generation's client sends it is taken by the token, once", async () => {
    const { id, worker, task } = await handedOver(null);
    const event = {
      event_id: unique(),
      worker_id: worker.workerId,
      event_type: "progress",
      payload: { progress: 0.5, message: "half" },
      bubbling_chain: [],
      target_job_id: id,
      target_task_id: task.task_id,
      priority: 0.0,
    };
    const text = JSON.stringify(signedMessage(event, worker.workerId));
    await between();
    worker.send(text);
    await eventually(async () => (await viewJob(id)).progress).toBe(0.5);
    worker.send(text.replace("0.5", "0.9"));
    expect(await worker.next("error")).toMatchObject(refusal("Invalid cryptographic signature"));
    worker.send(text);
    expect(await worker.next("error")).toMatchObject(refusal("Message was taken before"));
  });
});

test.each(WAYS)("tasks are signed for workers that share a secret with the deployment, %s", async (_, between) => {
  const secret = "signs the tasks of the tests";
  const { worker, task, type } = await handedOver();
  expect(await flawOfTask(task, secret, Date.now())).toBeUndefined();
  expect(await flawOfTask(task, "another secret", Date.now())).toContain("another ORCHESTRATOR_SECRET_KEY");
  await between();
  // One that has to wait is signed when it is handed over.
  const second = await createJob("one-task", { type });
  await between();
  pass(600_000);
  await worker.result(task);
  const waited = await worker.task();
  expect(waited).toMatchObject({ job_id: second, timestamp: Math.floor(Date.now() / 1000) });
  expect(await flawOfTask(waited, secret, Date.now())).toBeUndefined();
  await worker.close();
  const [poller, polled] = [unique(), unique()];
  await register(poller, [polled]);
  await createJob("one-task", { type: polled });
  const fetched = await poll(poller);
  expect(fetched).not.toBeNull();
  if (fetched !== null) expect(await flawOfTask(fetched, secret, Date.now())).toBeUndefined();
});

test("a socket must name its worker, and its session rightly", async () => {
  expect((await upgrade("/_worker/ws")).status).toBe(403);
  expect((await upgrade("/_worker/ws/w?session=no%20blanks")).status).toBe(400);
  expect((await upgrade("/_worker/ws", { "X-Worker-Token": "individual-token" })).status).toBe(101);
});

test("a socket whose frames could not be checked is not opened", async () => {
  const { SIGNING_SECRET: _secret, ...without } = env;
  const context = createExecutionContext();
  const asked = request("GET", "/_worker/ws/w", { headers: { Upgrade: "websocket", ...WORKER } });
  const response = await app.fetch(asked, without, context);
  await waitOnExecutionContext(context);
  expect(response.status).toBe(501);
  expect(await response.json()).toMatchObject({ error: expect.stringContaining("SIGNING_SECRET") });
});

test.each([
  ["was opened before frames had to be signed", () => undefined],
  ["was opened under another secret", (keys: string) => ({ keys: `A${keys}`, session: null, seq: 0 })],
])("a worker whose socket %s is to connect again, and keeps what it has", async (_, changed) => {
  const { id, type, worker, task } = await handedOver();
  await runInDurableObject(shard(), (_object, state) => {
    for (const socket of state.getWebSockets(worker.workerId)) {
      const { signing, ...said } = attachment.parse(socket.deserializeAttachment());
      socket.serializeAttachment({ ...said, signing: changed(signing.keys) });
    }
  });
  await evictAllDurableObjects({ webSockets: "hibernate" });
  worker.send({ type: "result", ...resultOf(task) });
  expect(await worker.closed).toMatchObject({ code: 1012 });
  const back = await open(worker.workerId, { session: unique() });
  expect(await back.hello([type], { holding: [task] })).toMatchObject({ current_tasks: [task.task_id] });
  expect(await back.result(task)).toMatchObject({ status: "result_accepted_success" });
  await expectJob(id, { status: "finished" });
});

test("a signature of one second counts for a minute", async () => {
  const { worker, task } = await handedOver();
  const frame = JSON.stringify(signedMessage({ type: "drain" }, worker.workerId));
  pass(61_000);
  worker.send(frame);
  expect(await worker.next("error")).toMatchObject(refusal("Message timestamp expired"));
  expect(await worker.result(task)).toMatchObject({ status: "result_accepted_success" });
});
