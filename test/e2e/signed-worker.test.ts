import { Worker } from "@batuta/worker";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BatutaServer } from "../support/batuta-server.ts";

let server: BatutaServer;
beforeAll(async () => {
  server = await BatutaServer.start({ clients: ["alice"], environment: { WORKER_SIGNATURES: "required" } });
});
afterAll(async () => {
  await server.kill();
});

test.each([true, false])(
  "a worker that signs is served where signatures are required, sockets: %s",
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
  },
);

test("one that does not is told what to set", async () => {
  const worker = new Worker({ ...server.forWorkers, shutdownTimeout: 0 }).task("unsigned", () => null);
  await expect(worker.run({ handleSignals: false })).rejects.toThrow("WORKER_SIGN_MESSAGES=true");
});
