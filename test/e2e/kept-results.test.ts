import { readdirSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import type { ApiClient } from "../support/api-client.ts";
import { BatutaServer } from "../support/batuta-server.ts";
import { expectCountedOnce, losses } from "../support/counted-once.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { WorkerProcess } from "../support/worker-process.ts";

let server: BatutaServer;
let alice: ApiClient;
afterEach(() => server.kill());

function keptIn(spool: string): string[] {
  return readdirSync(spool).filter((name) => name.endsWith(".json"));
}

test.each([
  ["a socket", "by-socket", true],
  ["long polls", "by-poll", false],
])(
  "a result survives an outage of the server and a kill of its worker, over %s: the task is done once",
  async (_, type, websockets) => {
    server = await BatutaServer.start({ clients: ["alice"], environment: { LEASE_SECONDS: "60" } });
    alice = server.client("alice");
    const setup = { id: `worker-${type}`, type, websockets, spool: temporaryFolder() };
    const worker = new WorkerProcess(server, { ...setup, holds: true });
    const id = await alice.create("one-task", { type });
    await expect.poll(() => worker.began, { interval: 20, timeout: 20_000 }).toHaveLength(1);

    await server.kill();
    worker.release();
    await expect.poll(() => keptIn(setup.spool), { interval: 20, timeout: 10_000 }).toHaveLength(1);
    await worker.kill();
    await server.startAgain();
    const restarted = new WorkerProcess(server, setup);

    await alice.expectJob(id, { status: "finished", result: { by: setup.id } });
    await expect.poll(() => keptIn(setup.spool), { interval: 20, timeout: 10_000 }).toEqual([]);
    expect(restarted.began).toEqual([]);
    const history = await alice.history(id);
    expect(losses(history)).toEqual([]);
    expectCountedOnce(history, 1);
    await restarted.kill();
  },
);

test("a result that comes too late is ignored, and not kept any longer", async () => {
  server = await BatutaServer.start({ clients: ["alice"], environment: { LEASE_SECONDS: "2" } });
  alice = server.client("alice");
  const setup = { id: "late", type: "late", websockets: true, spool: temporaryFolder() };
  const worker = new WorkerProcess(server, { ...setup, holds: true });
  const id = await alice.create("one-task", { type: "late" });
  await expect.poll(() => worker.began, { interval: 20, timeout: 20_000 }).toHaveLength(1);
  await server.kill();
  worker.release();
  await expect.poll(() => keptIn(setup.spool), { interval: 20, timeout: 10_000 }).toHaveLength(1);
  await worker.kill();
  await server.startAgain();
  const other = new WorkerProcess(server, { id: "other", type: "late", websockets: true });
  await alice.expectJob(id, { status: "finished", result: { by: "other" } });
  const restarted = new WorkerProcess(server, setup);
  await expect.poll(() => keptIn(setup.spool), { interval: 20, timeout: 10_000 }).toEqual([]);
  expectCountedOnce(await alice.history(id), 1);
  await Promise.all([other.kill(), restarted.kill()]);
});
