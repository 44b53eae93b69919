import { type OrchestratorMode, Worker } from "@batuta/worker";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { BatutaServer } from "../support/batuta-server.ts";

let first: BatutaServer;
let second: BatutaServer;
beforeAll(async () => {
  [first, second] = await Promise.all([BatutaServer.start(), BatutaServer.start()]);
});
afterAll(() => Promise.all([first.kill(), second.kill()]));

const stops: Array<() => Promise<void>> = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

/** A worker of both servers, each with a token of its own, that does tasks of one type at once. */
function startWorker(type: string, orchestratorMode: OrchestratorMode, websockets: boolean, maxConcurrentTasks = 2) {
  const orchestrators = [first, second].map(({ url, workerToken: token }, priority) => ({ url, token, priority }));
  const most = { now: 0, ever: 0 };
  const worker = new Worker(
    {
      orchestrators,
      orchestratorMode,
      websockets,
      maxConcurrentTasks,
      heartbeatInterval: 0.5,
      taskPollTimeout: 1,
      shutdownTimeout: 1,
      logger: false,
    },
    { random: () => 0 },
  ).task(type, async ({ params }) => {
    most.ever = Math.max(most.ever, ++most.now);
    await new Promise((resolve) => setTimeout(resolve, 5));
    most.now -= 1;
    return params;
  });
  const running = worker.run({ handleSignals: false });
  stops.push(async () => {
    await worker.stop();
    await running;
  });
  return most;
}

/** Creates jobs of one task each. */
async function create(server: BatutaServer, type: string, count: number): Promise<string[]> {
  const client = server.client();
  return Promise.all(Array.from({ length: count }, (_, value) => client.create("one-task", { type, value })));
}

/** Waits until all of these jobs are finished. */
async function expectFinished(server: BatutaServer, ids: readonly string[]): Promise<void> {
  const client = server.client();
  await Promise.all(ids.map((id, value) => client.expectJob(id, { status: "finished", result: { value } })));
}

async function expectDone(server: BatutaServer, type: string, count: number): Promise<void> {
  await expectFinished(server, await create(server, type, count));
}

test.each([
  ["sockets", true],
  ["long polls", false],
])(
  "FAILOVER, over %s: the second server's jobs wait until the first is away, and again when it is back",
  async (_, websockets) => {
    const type = `failover-${websockets}`;
    startWorker(type, "FAILOVER", websockets);
    await expectDone(first, type, 3);
    const waiting = await create(second, type, 3);
    await expectDone(first, type, 3);
    for (const id of waiting) expect(await second.client().view(id)).toMatchObject({ status: "waiting_for_worker" });

    await first.kill();
    await expectFinished(second, waiting);
    await expectDone(second, type, 2);

    await first.startAgain();
    await expectDone(first, type, 3);
  },
);

test.each([
  ["ROUND_ROBIN", "sockets", true],
  ["ROUND_ROBIN", "long polls", false],
  ["WATERFALL", "sockets", true],
  ["WATERFALL", "long polls", false],
] as const)(
  "%s, over %s: the jobs of both servers are done, never more at once than the worker may",
  async (mode, _, websockets) => {
    const type = `${mode}-${websockets}`;
    const most = startWorker(type, mode, websockets);
    await Promise.all([first, second].map((server) => expectDone(server, type, 15)));
    expect(most.ever).toBeLessThanOrEqual(2);
  },
);

test("with one slot for two servers, each gets its turn", async () => {
  const most = startWorker("one-slot", "ROUND_ROBIN", true, 1);
  await Promise.all([first, second].map((server) => expectDone(server, "one-slot", 10)));
  expect(most.ever).toBe(1);
});
