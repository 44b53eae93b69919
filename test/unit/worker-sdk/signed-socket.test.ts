import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { z } from "zod";
import { checkSignature } from "../../../src/access/message-signature.ts";
import { SocketConnection } from "../../../worker-sdk/src/socket/socket-connection.ts";
import { aTask } from "./support/fake-orchestrator.ts";
import { FakeSocket } from "./support/fake-socket.ts";
import { connectedBench, pass } from "./support/worker-bench.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const numbered = z.looseObject({ type: z.string(), session: z.string(), seq: z.number() });
const nothing = { onOpen() {}, onFrame() {}, onUnknownFrame() {}, onBeat() {} };

/** What the orchestrator says of a frame. */
function check(frame: object) {
  const message = { text: JSON.stringify(frame), body: frame, isEvent: false, workerId: "worker-1", keys: ["secret"] };
  return checkSignature(message, Date.now());
}

it("each frame is signed, numbered, and names its connection", async () => {
  const bench = await connectedBench({ signMessages: true }, (worker) =>
    worker.task("work", async ({ sendProgress }) => {
      await sendProgress(0.5);
    }),
  );
  const socket = await vi.waitFor(() => bench.socket, 10_000);
  socket.welcome();
  socket.receive({ type: "task", task: aTask() });
  await vi.waitFor(() => expect(socket.of("result")).toHaveLength(1), 10_000);
  const session = new URL(socket.url).searchParams.get("session");
  const frames = socket.frames.map((frame) => numbered.parse(frame));
  expect(frames.map(({ type }) => type)).toEqual(["hello", "progress_update", "result"]);
  expect(frames.map(({ seq }) => seq)).toEqual([1, 2, 3]);
  for (const frame of frames) {
    expect(frame.session).toBe(session);
    expect(check(frame)).toMatchObject({ ok: true });
    expect(check({ ...frame, seq: 99 })).toMatchObject({ ok: false });
  }
  socket.drop();
  await pass(500);
  expect(bench.sockets).toHaveLength(2);
  bench.socket.open();
  await vi.waitFor(() => expect(bench.socket.frames.length).toBeGreaterThan(0), 10_000);
  const [hello] = bench.socket.frames.map((frame) => numbered.parse(frame));
  expect(hello?.seq).toBe(1);
  expect(hello?.session).not.toBe(session);
  await bench.finish();
});

it("a result whose frame was refused is kept, and signed anew when it is sent again", async () => {
  const bench = await connectedBench({ signMessages: true, heartbeatInterval: 5 }, (worker) =>
    worker.task("work", () => ({ n: 1 })),
  );
  const socket = await vi.waitFor(() => bench.socket, 10_000);
  socket.welcome();
  const task = aTask();
  socket.receive({ type: "task", task });
  await vi.waitFor(() => expect(socket.of("result")).toHaveLength(1), 10_000);
  socket.receive({ type: "error", code: "not_signed", error: "Message timestamp expired (replay protection)" });
  await pass(15_000);
  await vi.waitFor(() => expect(socket.of("result")).toHaveLength(2), 10_000);
  const [first, second] = socket.of("result").map((frame) => numbered.parse(frame));
  expect(second?.["timestamp"]).toBeGreaterThan(z.number().parse(first?.["timestamp"]));
  expect(bench.log).toContainEqual(expect.objectContaining({ event: "orchestrator.error", code: "not_signed" }));
  socket.receive({ type: "result_ack", task_id: task.task_id, attempt: 1, status: "result_accepted_success" });
  await bench.finish();
});

it("without signing nothing is added to frames or address", async () => {
  const bench = await connectedBench({}, (worker) => worker.task("work", () => {}));
  bench.socket.open();
  expect(bench.socket.url).not.toContain("?");
  expect(bench.socket.frames).toEqual([{ type: "hello", slots: 10, supported_tasks: ["work"], current_tasks: [] }]);
  await bench.finish();
});

/** A connection whose frames are signed when the test says so. */
function slowlySigned() {
  const socket = new FakeSocket("wss://x", undefined);
  const signatures: PromiseWithResolvers<string>[] = [];
  const connection = new SocketConnection(
    () => socket,
    5_000,
    nothing,
    () => {
      const signature = Promise.withResolvers<string>();
      signatures.push(signature);
      return signature.promise;
    },
  );
  socket.open();
  return { socket, connection, signatures };
}

const state = (slots: number) => JSON.stringify({ type: "state", slots });

it("frames leave in their order, and before the connection is closed", async () => {
  const { socket, connection, signatures } = slowlySigned();
  connection.send("one");
  connection.send("two");
  connection.close(1000, "bye");
  connection.send("three");
  await pass(0);
  expect([signatures.length, socket.closedWith]).toEqual([1, undefined]);
  signatures[0]?.resolve(state(1));
  await pass(0);
  signatures[1]?.resolve(state(2));
  await pass(0);
  expect(socket.of("state").map(({ slots }) => slots)).toEqual([1, 2]);
  expect(socket.closedWith).toEqual({ code: 1000, reason: "bye" });
});

it("a connection whose frames cannot be signed is given up", async () => {
  const { socket, connection, signatures } = slowlySigned();
  connection.send("one");
  await pass(0);
  signatures[0]?.reject(new Error("no crypto here"));
  expect(await connection.ended).toMatchObject({ opened: true, reason: "not signed" });
  await pass(0);
  expect(socket.closedWith).toMatchObject({ code: 4004 });
});
