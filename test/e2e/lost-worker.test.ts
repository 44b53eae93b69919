import { beforeAll, describe, expect, test } from "vitest";
import type { ApiClient } from "../support/api-client.ts";
import { BatutaServer } from "../support/batuta-server.ts";
import { expectCountedOnce, losses, successes } from "../support/counted-once.ts";
import { startFaultyProxy } from "../support/faulty-proxy.ts";
import { WorkerProcess } from "../support/worker-process.ts";

const LEASE_SECONDS = 2;
/** What a loaded machine may add to a lease. */
const SLACK_SECONDS = 4;
const BRANCHES = 12;
const HELD = 4;

const TRANSPORTS = [
  ["a socket", "socket", true],
  ["long polls", "poll", false],
] as const;

let server: BatutaServer;
let alice: ApiClient;
beforeAll(async () => {
  server = await BatutaServer.start({
    clients: ["alice"],
    // A polling worker counts as gone after two of its intervals without a word.
    environment: { LEASE_SECONDS: `${LEASE_SECONDS}`, WORKER_HEALTH_CHECK_INTERVAL_SECONDS: `${LEASE_SECONDS / 2}` },
  });
  alice = server.client("alice");
});

/** A worker that holds some of the tasks of a new job and ends none. */
async function holdingWorker(type: string, websockets: boolean) {
  const doomed = new WorkerProcess(server, { id: `doomed-${type}`, type, websockets, slots: HELD, holds: true });
  const id = await alice.create("fan-out", { type, count: BRANCHES });
  await expect.poll(() => doomed.began, { interval: 20, timeout: 20_000 }).toHaveLength(HELD);
  return { id, doomed };
}

/** Beside a worker that holds some tasks of a job, another that has done all others. */
async function twoWorkers(type: string, websockets: boolean) {
  const { id, doomed } = await holdingWorker(type, websockets);
  const other = new WorkerProcess(server, { id: `other-${type}`, type, websockets });
  await alice.expectJob(id, { branches: { total: BRANCHES, done: BRANCHES - HELD, failed: 0 } });
  return { id, doomed, other };
}

async function expectEachBranchOnce(id: string): Promise<void> {
  const { state_history: found } = await alice.view(id);
  const order = Array.from({ length: BRANCHES }, (_, number) => ({ number }));
  expect(found).toEqual({ order, succeeded: BRANCHES, failed: [] });
  expectCountedOnce(await alice.history(id), BRANCHES);
}

/** History says of each of these tasks that it was lost, and of what attempt and by whom it was done then. */
async function expectLostAndDone(id: string, tasks: readonly string[], by: string): Promise<void> {
  const history = await alice.history(id);
  const lost = losses(history);
  const done = successes(history);
  for (const task of tasks) {
    expect(lost).toContainEqual({ task, attempt: 1 });
    const [end] = done.get(task) ?? [];
    expect(end?.worker_id).toBe(by);
    expect(end?.attempt_number).toBe(1 + lost.filter((loss) => loss.task === task).length);
  }
}

describe.each(TRANSPORTS)("a worker on %s that is killed while it holds tasks", (_name, type, websockets) => {
  test("loses them to another worker, which finishes the job within the lease", async () => {
    const { id, doomed, other } = await twoWorkers(type, websockets);
    await doomed.kill();
    const killedAt = performance.now();
    await alice.expectJob(id, { status: "finished" });
    expect((performance.now() - killedAt) / 1000).toBeLessThan(LEASE_SECONDS + SLACK_SECONDS);
    await expectEachBranchOnce(id);
    await expectLostAndDone(id, doomed.began, `other-${type}`);
    await other.kill();
  });

  test("is given them again when it is started anew under the same name", async () => {
    const again = `${type}_again`;
    const { id, doomed } = await holdingWorker(again, websockets);
    await doomed.kill();
    const reborn = new WorkerProcess(server, { id: `doomed-${again}`, type: again, websockets });
    await alice.expectJob(id, { status: "finished" });
    await expectEachBranchOnce(id);
    await expectLostAndDone(id, doomed.began, `doomed-${again}`);
    await reborn.kill();
  });
});

test("a worker that falls silent with its socket open loses its tasks, and its late results change nothing", async () => {
  const { id, doomed, other } = await twoWorkers("silent", true);
  doomed.freeze();
  const ended = await alice.expectJob(id, { status: "finished" });
  await expectLostAndDone(id, doomed.began, "other-silent");
  await other.kill();

  doomed.release();
  doomed.thaw();
  // It hands in what it has before it takes anything new: once it has done another job, its late results have been heard.
  const next = await alice.create("fan-out", { type: "silent", count: 1 });
  await alice.expectJob(next, { status: "finished" });
  expect(await alice.view(id)).toEqual(ended);
  await expectEachBranchOnce(id);
  await doomed.kill();
});

test("a task whose poll is cut while it is on its way is offered again, though its worker lives on", async () => {
  let handOvers = 0;
  const proxy = await startFaultyProxy(server.url, ({ path, status }) => {
    if (!path.includes("/tasks/next") || status !== 200) return false;
    handOvers += 1;
    return handOvers === 1;
  });
  const worker = new WorkerProcess(server, { id: "cut-off", type: "cut", websockets: false, url: proxy });
  const id = await alice.create("one-task", { type: "cut" });
  await alice.expectJob(id, { status: "finished" });
  expect(handOvers).toBe(2);
  const history = await alice.history(id);
  expectCountedOnce(history, 1);
  expect(losses(history)).toHaveLength(1);
  await worker.kill();
});
