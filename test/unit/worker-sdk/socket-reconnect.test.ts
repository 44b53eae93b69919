import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { TaskPayload } from "../../../worker-sdk/src/protocol/index.ts";
import { aTask, connectionRefused, problem, REGISTER, RESULT } from "./support/fake-orchestrator.ts";
import { connectedBench, gate, pass, settle } from "./support/worker-bench.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const accepted = "result_accepted_success" as const;

describe("after a reconnect", () => {
  it("the hello names what is held, and unacknowledged results are sent again", async () => {
    const bench = await connectedBench({}, (worker) =>
      worker
        .task("work", () => ({ done: true }))
        .task("long", ({ signal }) => new Promise((resolve) => signal.addEventListener("abort", resolve))),
    );
    const [done, acknowledged, long] = [aTask(), aTask(), aTask({ type: "long" })];
    bench.socket.welcome();
    for (const task of [done, acknowledged, long]) bench.socket.receive({ type: "task", task });
    await settle();
    bench.socket.receive({ type: "result_ack", task_id: acknowledged.task_id, status: accepted });
    bench.socket.drop();
    await pass(500);
    expect(bench.sockets).toHaveLength(2);
    bench.socket.open();
    const leaseOf = ({ job_id, task_id, attempt, lease }: TaskPayload) => ({ job_id, task_id, attempt, lease });
    const held = [{ ...leaseOf(long), type: "long" }, leaseOf(done)];
    expect(bench.socket.of("hello")[0]?.current_tasks).toEqual(held);
    expect(bench.socket.of("result")).toEqual([]);
    bench.socket.receive({ type: "welcome", current_tasks: [long.task_id, done.task_id] });
    expect(bench.socket.of("result").map(({ task_id }) => task_id)).toEqual([done.task_id]);
    bench.socket.receive({ type: "result_ack", task_id: done.task_id, attempt: 1, status: accepted });
    await bench.finish();
    expect(bench.sockets[1]?.of("result").map(({ task_id }) => task_id)).toEqual([done.task_id, long.task_id]);
  });

  it("a task that ended while disconnected is reported", async () => {
    const end = gate();
    const bench = await connectedBench({}, (worker) => worker.task("work", () => end.promise));
    const task = aTask();
    bench.socket.welcome();
    bench.socket.receive({ type: "task", task });
    await settle();
    bench.socket.drop();
    end.resolve();
    await pass(500);
    bench.socket.welcome(task.task_id);
    expect(bench.socket.of("result").map(({ task_id }) => task_id)).toEqual([task.task_id]);
    await bench.finish();
  });

  it("a task that ends between hello and welcome is reported after the welcome, once", async () => {
    const end = gate();
    const bench = await connectedBench({}, (worker) => worker.task("work", () => end.promise));
    const task = aTask();
    bench.socket.welcome();
    bench.socket.receive({ type: "task", task });
    await settle();
    bench.socket.drop();
    await pass(500);
    bench.socket.open();
    end.resolve();
    await settle();
    expect(bench.socket.of("result")).toEqual([]);
    bench.socket.receive({ type: "welcome", current_tasks: [task.task_id] });
    expect(bench.socket.of("result")).toHaveLength(1);
    await bench.finish();
  });

  it("a large result on its way by HTTP is held, but neither posted nor sent a second time", async () => {
    const slow = Promise.withResolvers<Response>();
    const bench = await connectedBench({}, (worker) => worker.task("work", () => "x".repeat(300_000)));
    bench.orchestrator.answerNext(RESULT, () => slow.promise);
    const task = aTask();
    const reconnect = async (): Promise<void> => {
      bench.socket.drop();
      await pass(500);
      bench.socket.welcome(task.task_id);
    };
    bench.socket.welcome();
    bench.socket.receive({ type: "task", task });
    await settle();
    await reconnect();
    expect(bench.socket.of("hello")[0]?.current_tasks).toMatchObject([{ task_id: task.task_id }]);
    slow.resolve(Response.json({ status: accepted }));
    await pass(10_000);
    await reconnect();
    expect(bench.socket.of("hello")[0]?.current_tasks).toEqual([]);
    expect(bench.orchestrator.to(RESULT)).toHaveLength(1);
    await bench.finish();
  });

  it("an acknowledgement of another attempt changes nothing", async () => {
    const bench = await connectedBench({}, (worker) => worker.task("work", () => {}));
    const task = aTask({ attempt: 2 });
    bench.socket.welcome();
    bench.socket.receive({ type: "task", task });
    await settle();
    bench.socket.receive({
      type: "result_ack",
      task_id: task.task_id,
      attempt: 1,
      status: "ignored",
      reason: "stale_task",
    });
    bench.socket.drop();
    await pass(500);
    bench.socket.welcome(task.task_id);
    expect(bench.socket.of("result")).toHaveLength(1);
    await bench.finish();
  });

  it("running tasks the welcome does not honour are aborted and their results dropped", async () => {
    const reasons: unknown[] = [];
    const bench = await connectedBench({}, (worker) =>
      worker.task("work", async ({ signal }) => {
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        reasons.push(signal.reason);
      }),
    );
    const [kept, lost] = [aTask(), aTask()];
    bench.socket.welcome();
    for (const task of [kept, lost]) bench.socket.receive({ type: "task", task });
    await settle();
    bench.socket.drop();
    await pass(500);
    bench.socket.welcome(kept.task_id);
    await settle();
    expect(reasons).toMatchObject([{ name: "TaskAbortedError", abortCause: "lease_lost" }]);
    expect(bench.socket.of("result")).toEqual([]);
    await bench.finish();
    expect(bench.socket.of("result").map(({ task_id }) => task_id)).toEqual([kept.task_id]);
  });

  it("a task that arrived with the welcome under way keeps running", async () => {
    const bench = await connectedBench({}, (worker) =>
      worker.task("work", ({ signal }) => gate().promise.then(() => signal)),
    );
    bench.socket.open();
    const task = aTask();
    bench.socket.receive({ type: "task", task });
    bench.socket.receive({ type: "welcome", current_tasks: [] });
    await settle();
    bench.socket.drop();
    await pass(500);
    bench.socket.open();
    expect(bench.socket.of("hello")[0]?.current_tasks).toMatchObject([{ task_id: task.task_id }]);
    await bench.finish();
  });
});

describe("a socket's life", () => {
  it("is kept up by pings, and given up when nothing is heard for two of them", async () => {
    const bench = await connectedBench({}, (worker) => worker.task("work", () => {}));
    const { socket } = bench;
    socket.welcome();
    await pass(60_000);
    expect([socket.pings, socket.closedWith]).toEqual([4, undefined]);
    socket.answersPings = false;
    await pass(30_000);
    expect(socket.closedWith).toEqual({ code: 4001, reason: "no pong" });
    await pass(250);
    expect(bench.sockets).toHaveLength(2);
    await bench.finish();
  });

  it("sees a result again that was not acknowledged within two pings", async () => {
    const bench = await connectedBench({}, (worker) => worker.task("work", () => {}));
    const { socket } = bench;
    socket.welcome();
    socket.receive({ type: "task", task: aTask() });
    await pass(29_999);
    expect(socket.of("result")).toHaveLength(1);
    await pass(1);
    expect(socket.of("result")).toHaveLength(2);
    await bench.finish();
  });

  it("that breaks at once again and again makes the pauses grow to 30 s; a good one resets them", async () => {
    const bench = await connectedBench({}, (worker) => worker.task("work", () => {}));
    const pauses: number[] = [];
    const dropAndWait = async (): Promise<void> => {
      const from = Date.now();
      const count = bench.sockets.length;
      bench.socket.drop();
      while (bench.sockets.length === count) await pass(50);
      pauses.push(bench.socket.openedAt - from);
    };
    for (let round = 0; round < 12; round++) {
      bench.socket.welcome();
      await dropAndWait();
    }
    expect(pauses.slice(0, 4)).toEqual([250, 1_000, 1_750, 2_875]);
    expect(pauses.at(-1)).toBe(30_000);
    bench.socket.welcome();
    await pass(10_000);
    await dropAndWait();
    expect(pauses.at(-1)).toBe(250);
    await bench.finish();
  });

  it("that never begins is followed by a registration, which tells why and when to come back", async () => {
    const bench = await connectedBench({}, (worker) => worker.task("work", () => {}));
    bench.orchestrator.answerNext(REGISTER, connectionRefused, problem(503, "Draining", { "Retry-After": "10" }));
    bench.socket.drop();
    await pass(1_250);
    expect(bench.sockets).toHaveLength(1);
    await pass(10_500);
    expect(bench.sockets).toHaveLength(2);
    expect(bench.log.filter(({ event }) => event === "socket.closed").map(({ reason }) => reason)).toEqual([
      "",
      "fetch failed: connect ECONNREFUSED 127.0.0.1:8080",
      "HTTP 503: Draining",
    ]);
    await bench.finish();
  });

  it("is given up when it does not open within 15 s", async () => {
    const bench = await connectedBench({}, (worker) => worker.task("work", () => {}));
    await pass(15_000);
    expect(bench.sockets[0]?.closedWith).toMatchObject({ reason: "not opened in time" });
    await bench.finish();
  });
});
