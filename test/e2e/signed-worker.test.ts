import { Worker } from "@batuta/worker";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { BatutaServer } from "../support/batuta-server.ts";

let server: BatutaServer;
beforeAll(async () => {
  server = await BatutaServer.start({ clients: ["alice"], environment: { WORKER_SIGNATURES: "required" } });
});
afterAll(async () => {
  await server.kill();
});

test.each([true, false])(
  "a worker that signs is served where signatures are required, and says when it leaves, sockets: %s",
  async (websockets) => {
    const type = `signed-${websockets}`;
    const worker = new Worker({ ...server.forWorkers, websockets, signMessages: true, shutdownTimeout: 0 }).task(
      type,
      async ({ params, sendProgress, sendEvent, log }) => {
        log.info("signed");
        await sendProgress(0.5);
        await sendEvent("nothing_waits_for_this", {});
        return params;
      },
    );
    const running = worker.run({ handleSignals: false });
    const alice = server.client("alice");
    const id = await alice.create("one-task", { type, value: 1.5 });
    await alice.expectJob(id, { status: "finished", result: { value: 1.5 } });
    await worker.stop();
    await running;
    const seen = { worker_id: worker.workerId, status: "offline", takes_nothing_because: "status is offline" };
    await vi.waitFor(async () => {
      expect((await alice.call("GET", "/workers")).body).toContainEqual(expect.objectContaining(seen));
    });
  },
);

test("one that does not is told what to set", async () => {
  const worker = new Worker({ ...server.forWorkers, shutdownTimeout: 0 }).task("unsigned", () => null);
  await expect(worker.run({ handleSignals: false })).rejects.toThrow("WORKER_SIGN_MESSAGES=true");
});
