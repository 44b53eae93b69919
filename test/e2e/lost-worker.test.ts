import { beforeAll, describe, expect, test } from "vitest";
import type { ApiClient } from "../support/api-client.ts";
import { BatutaServer } from "../support/batuta-server.ts";
import { expectCountedOnce, losses, successes } from "../support/counted-once.ts";
import { startFaultyProxy } from "../support/faulty-proxy.ts";
import { WorkerProcess } from "../support/worker-process.ts";

const LEASE_SECONDS = 3;
/** What a loaded machine may add to a lease. */
const SLACK_SECONDS = 4;
const BRANCHES = 12;
const HELD = 4;

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

/** A job whose one worker holds some of its tasks, while another has done all others. */
async function halfDoneJob(type: string, websockets: boolean) {
  const doomed = new WorkerProcess(server, { id: `doomed-${type}`, type, websockets, slots: HELD, holds: true });
  const id = await alice.create("fan-out", { type, count: BRANCHES });
  await expect.poll(() => doomed.began, { interval: 20, timeout: 20_000 }).toHaveLength(HELD);
  const other = new WorkerProcess(server, { id: `other-${type}`, type, websockets });
  await alice.expectJob(id, { branches: { total: BRANCHES, done: BRANCHES - HELD, failed: 0 } });
  return { id, doomed, other };
}

async function expectAllBranchesOnce(id: string): Promise<void> {
  const { state_history: found } = await alice.view(id);
  const numbers = Array.from({ length: BRANCHES }, (_, number) => ({ number }));
  expect(found).toEqual({ order: numbers, succeeded: BRANCHES, failed: [] });
}

describe.each([
  ["sockets", true],
  ["long polls", false],
])("of two workers on %s", (name, websockets) => {
  const type = name.replace(" ", "_");

  test("one is killed while it holds tasks: the other finishes the job within the lease", async () => {
    const { id, doomed, other } = await halfDoneJob(type, websockets);
    await doomed.kill();
    const killedAt = performance.now();
    await alice.expectJob(id, { status: "finished" });
    expect((performance.now() - killedAt) / 1000).toBeLessThan(LEASE_SECONDS + SLACK_SECONDS);
    await expectAllBranchesOnce(id);
    expect(other.began).toHaveLength(BRANCHES);

    const history = await alice.history(id);
    expectCountedOnce(history, BRANCHES);
    const lost = new Set(losses(history).map(({ task }) => task));
    expect(lost).toEqual(new Set(doomed.began));
    const ends = [...successes(history).values()].flat();
    for (const { task_id, attempt_number, worker_id } of ends) {
      expect(worker_id).toBe(`other-${type}`);
      expect(attempt_number).toBe(lost.has(task_id ?? "") ? 2 : 1);
    }
    await other.kill();
  });
});

test("a worker that falls silent with its connection open loses its tasks, and its late results change nothing", async () => {
  const { id, doomed, other } = await halfDoneJob("silent", true);
  doomed.freeze();
  await alice.expectJob(id, { status: "finished" });
  const history = await alice.history(id);
  const before = await alice.view(id);

  await other.kill();
  doomed.release();
  doomed.thaw();
  // It hands in what it has before it takes anything new: once it has done another job, its late results have been heard.
  const next = await alice.create("fan-out", { type: "silent", count: 1 });
  await alice.expectJob(next, { status: "finished" });
  expect(await alice.view(id)).toEqual(before);
  expect(await alice.history(id)).toEqual(history);
  await expectAllBranchesOnce(id);
  expectCountedOnce(history, BRANCHES);
  await doomed.kill();
});

describe("a long poll whose connection breaks when the task is on its way", () => {
  test("does not keep the task: the worker, which lives on, is given it again", async () => {
    const cut: string[] = [];
    const proxy = await startFaultyProxy(server.url, ({ path, status }) => {
      const isTask = path.includes("/tasks/next") && status === 200;
      if (isTask) cut.push(path);
      return isTask && cut.length === 1;
    });
    const worker = new WorkerProcess(server, { id: "cut-off", type: "cut", websockets: false, url: proxy });
    const id = await alice.create("one-task", { type: "cut" });
    await alice.expectJob(id, { status: "finished" });
    expect(cut).toHaveLength(2);
    const history = await alice.history(id);
    expectCountedOnce(history, 1);
    expect(losses(history)).toHaveLength(1);
    await worker.kill();
  });
});
