import { Worker, type WorkerOptions } from "@batuta/worker";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { BatutaServer } from "../support/batuta-server.ts";

const SECRET = "known to the server and its workers";

let server: BatutaServer;
beforeAll(async () => {
  server = await BatutaServer.start({
    clients: ["alice"],
    environment: { WORKER_SIGNATURES: "required", ORCHESTRATOR_SECRET_KEY: SECRET },
  });
});
afterAll(async () => {
  await server.kill();
});

const signing = (options: WorkerOptions = {}) =>
  new Worker({
    ...server.forWorkers,
    signMessages: true,
    orchestratorSecretKey: SECRET,
    shutdownTimeout: 0,
    ...options,
  });

describe.each([true, false])("where messages are signed both ways, sockets: %s,", (websockets) => {
  test("a worker that signs is served, and says when it leaves", async () => {
    const type = `signed-${websockets}`;
    const worker = signing({ websockets }).task(type, async ({ params, sendProgress, sendEvent, log }) => {
      log.info("signed");
      await sendProgress(0.5);
      await sendEvent("nothing_waits_for_this", {});
      return params;
    });
    const running = worker.run({ handleSignals: false });
    const alice = server.client("alice");
    const id = await alice.create("one-task", { type, value: 1.5 });
    await alice.expectJob(id, { status: "finished", result: { value: 1.5 } });
    await worker.stop();
    await running;
    const seen = { worker_id: worker.workerId, status: "offline", takes_nothing_because: "status is offline" };
    await vi.waitFor(async () => {
      expect((await alice.call("GET", "/workers")).body).toContainEqual(expect.objectContaining(seen));
    }, 10_000);
  });

  test("a worker does no task of a server with another secret, and its job says why", async () => {
    const type = `refused-${websockets}`;
    const handler = vi.fn(() => null);
    const worker = signing({ websockets, orchestratorSecretKey: "of another server" }).task(type, handler);
    const running = worker.run({ handleSignals: false });
    const alice = server.client("alice");
    const id = await alice.create("one-task", { type });
    await alice.expectJob(id, {
      status: "quarantined",
      error_message: expect.stringContaining("another ORCHESTRATOR_SECRET_KEY"),
    });
    expect(handler).not.toHaveBeenCalled();
    await worker.stop();
    await running;
  });
});

test("a result finds its way home over the signed socket that follows an outage", async () => {
  const { promise: outage, resolve: overcome } = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const worker = signing({ heartbeatInterval: 1 }).task("outlives", async () => {
    started.resolve();
    await outage;
    return { survived: true };
  });
  const running = worker.run({ handleSignals: false });
  const alice = server.client("alice");
  const id = await alice.create("one-task", { type: "outlives" });
  await started.promise;
  await server.kill();
  overcome();
  await server.startAgain();
  await alice.expectJob(id, { status: "finished", result: { survived: true } });
  await worker.stop();
  await running;
});

test("a socket alone is no way around signatures", async () => {
  const url = `${server.url.replace("http", "ws")}/_worker/ws/sneaky`;
  const socket = new WebSocket(url, { headers: { "X-Worker-Token": server.workerToken } });
  const { promise: answered, resolve } = Promise.withResolvers<unknown>();
  socket.addEventListener("message", ({ data }) => resolve(JSON.parse(z.string().parse(data))));
  socket.addEventListener("open", () =>
    socket.send(JSON.stringify({ type: "hello", slots: 1, supported_tasks: ["sneaky"], current_tasks: [] })),
  );
  expect(await answered).toMatchObject({
    type: "error",
    code: "not_signed",
    error: expect.stringContaining("WORKER_SIGN_MESSAGES=true"),
  });
  socket.close();
});

test("one that does not is told what to set", async () => {
  const worker = new Worker({ ...server.forWorkers, shutdownTimeout: 0 }).task("unsigned", () => null);
  await expect(worker.run({ handleSignals: false })).rejects.toThrow("WORKER_SIGN_MESSAGES=true");
  expect(server.output).not.toContain(SECRET);
});
