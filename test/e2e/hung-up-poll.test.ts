import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { taskPayload, type TaskPayload } from "@batuta/worker/protocol";
import { beforeAll, expect, test } from "vitest";
import { type ApiClient, call } from "../support/api-client.ts";
import { BatutaServer } from "../support/batuta-server.ts";
import { expectCountedOnce } from "../support/counted-once.ts";

/** Moments at which a caller hangs up, ms after its request: before the poll waits, and long after. */
const MOMENTS = [0, 1, 3, 10, 30, 100, 300];

/** The server may take a moment to hear of it, and hands a task over unasked to a poll that is younger than 100 ms. */
const HEARD_MS = 200;

let server: BatutaServer;
let alice: ApiClient;
beforeAll(async () => {
  // A lease is far too long here to be what brings a task back.
  server = await BatutaServer.start({ clients: ["alice"], environment: { LEASE_SECONDS: "60" } });
  alice = server.client("alice");
});

const headers = () => ({ "X-Worker-Token": server.workerToken });

async function register(workerId: string, type: string): Promise<void> {
  const json = { worker_id: workerId, supported_tasks: [type] };
  const answer = await call(`${server.url}/_worker/workers/register`, "POST", { headers: headers(), json });
  expect(answer.status).toBe(200);
}

async function poll(workerId: string, seconds = 10): Promise<TaskPayload | null> {
  const path = `/_worker/workers/${workerId}/tasks/next?timeout=${seconds}`;
  const { status, body } = await call(server.url + path, "GET", { headers: headers() });
  return status === 204 ? null : taskPayload.parse(body);
}

/** Ways to hang up: a reset, or the end that a client closes its connection with. */
const HANG_UP = {
  reset: (socket: Socket) => socket.resetAndDestroy(),
  close: (socket: Socket) => socket.destroy(),
};

/** Asks for a task over a connection of its own, and tears it down after a while. */
async function pollAndHangUp(workerId: string, afterMs: number, how: keyof typeof HANG_UP = "reset"): Promise<void> {
  const { hostname, port, host } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  await once(socket, "connect");
  const path = `/_worker/workers/${workerId}/tasks/next?timeout=30`;
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nX-Worker-Token: ${server.workerToken}\r\n\r\n`);
  await pause(afterMs);
  HANG_UP[how](socket);
}

async function finish(workerId: string, { job_id, task_id, attempt, lease }: TaskPayload): Promise<void> {
  const json = { worker_id: workerId, job_id, task_id, attempt, lease, result: { status: "success" } };
  const { body } = await call(`${server.url}/_worker/tasks/result`, "POST", { headers: headers(), json });
  expect(body).toMatchObject({ status: "result_accepted_success" });
}

/** The worker asks for a task, gets the job's, and does it. */
async function expectDoneBy(workerId: string, id: string): Promise<void> {
  const task = await poll(workerId);
  expect(task).toMatchObject({ job_id: id });
  if (task !== null) await finish(workerId, task);
  await alice.expectJob(id, { status: "finished" });
  expectCountedOnce(await alice.history(id), 1);
}

test.each(MOMENTS)("a caller that hangs up after %i ms loses no task to its dead connection", async (afterMs) => {
  const type = `hung-up-${afterMs}`;
  const [gone, there] = [`${type}-gone`, `${type}-there`];
  await register(gone, type);
  await register(there, type);
  await pollAndHangUp(gone, afterMs);
  await pause(HEARD_MS);
  const id = await alice.create("one-task", { type });
  await expectDoneBy(there, id);
});

test("a caller that closed its connection while it waited is found out before it gets a task", async () => {
  const type = "closed";
  const [gone, there] = [`${type}-gone`, `${type}-there`];
  await register(gone, type);
  await pollAndHangUp(gone, 200, "close");
  await pause(HEARD_MS);
  const id = await alice.create("one-task", { type });
  await register(there, type);
  await expectDoneBy(there, id);
});

test("a caller that hangs up while its task is on the way has it offered anew once it starts again", async () => {
  const type = "crossing";
  await register("crossing-there", type);
  const ids: string[] = [];
  for (const afterMs of MOMENTS.slice(0, 5)) {
    const gone = `crossing-${afterMs}`;
    await register(gone, type);
    const [id] = await Promise.all([alice.create("one-task", { type }), pollAndHangUp(gone, afterMs)]);
    ids.push(id);
    await register(gone, type);
  }
  const left = new Set(ids);
  while (left.size > 0) {
    const task = await poll("crossing-there");
    expect(task, `${left.size} tasks are missing`).not.toBeNull();
    if (task === null) break;
    await finish("crossing-there", task);
    left.delete(task.job_id);
  }
  for (const id of ids) expectCountedOnce(await alice.history(id), 1);
});
