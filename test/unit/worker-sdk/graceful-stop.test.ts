import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { aTask, connectionRefused, REGISTER } from "./support/fake-orchestrator.ts";
import { connectedBench, gate, pass, settle, workerBench } from "./support/worker-bench.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const accepted = "result_accepted_success" as const;

describe("a graceful stop over a socket", () => {
  it("drains, lets running tasks end, waits for the acknowledgement, then closes", async () => {
    const end = gate();
    const bench = await connectedBench({}, (worker) => worker.task("work", () => end.promise));
    const { socket } = bench;
    socket.welcome();
    const task = aTask();
    socket.receive({ type: "task", task });
    await settle();
    const stopping = bench.worker.stop();
    await pass(5_000);
    expect(socket.frames.at(-1)).toEqual({ type: "drain" });
    end.resolve();
    await pass(5_000);
    expect(socket.of("result")).toHaveLength(1);
    expect(socket.closedWith).toBeUndefined();
    socket.receive({ type: "result_ack", task_id: task.task_id, attempt: 1, status: accepted });
    await stopping;
    expect(socket.closedWith).toEqual({ code: 1000, reason: "worker stopped" });
    await bench.running;
  });

  it("aborts what outlives the shutdown timeout and reports it as transient", async () => {
    const bench = await connectedBench({ shutdownTimeout: 2 }, (worker) =>
      worker.task("work", async ({ signal }) => {
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        signal.throwIfAborted();
      }),
    );
    bench.socket.welcome();
    bench.socket.receive({ type: "task", task: aTask() });
    await settle();
    void bench.worker.stop();
    await pass(1_999);
    expect(bench.socket.of("result")).toEqual([]);
    await pass(1);
    expect(bench.socket.of("result").map(({ result }) => result)).toMatchObject([
      { status: "failure", error: { code: "TRANSIENT_ERROR" } },
    ]);
    await bench.finish();
  });

  it("does not wait for ever for handlers that ignore their signal or results nobody takes", async () => {
    const bench = await connectedBench({ shutdownTimeout: 1 }, (worker) =>
      worker.task("work", () => {}).task("deaf", () => gate().promise),
    );
    bench.socket.welcome();
    bench.socket.receive({ type: "task", task: aTask() });
    bench.socket.receive({ type: "task", task: aTask({ type: "deaf" }) });
    await settle();
    const stopping = bench.worker.stop();
    await pass(16_000);
    await stopping;
    await bench.running;
    const events = bench.log.map(({ event }) => event);
    expect(events).toContain("worker.tasks_abandoned");
    expect(events).toContain("worker.results_not_delivered");
  });

  it("leaves no timer behind for a task that ignores its signal", async () => {
    const bench = await connectedBench({ shutdownTimeout: 1 }, (worker) =>
      worker.task("deaf", async ({ log }) => {
        log.info("still here");
        await gate().promise;
      }),
    );
    bench.socket.welcome();
    bench.socket.receive({ type: "task", task: aTask({ type: "deaf", deadline: Date.now() / 1000 + 3_600 }) });
    bench.socket.drop();
    await settle();
    await bench.finish();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("says drain again when the connection breaks meanwhile", async () => {
    const end = gate();
    const bench = await connectedBench({}, (worker) => worker.task("work", () => end.promise));
    bench.socket.welcome();
    const task = aTask();
    bench.socket.receive({ type: "task", task });
    await settle();
    void bench.worker.stop();
    bench.socket.drop();
    await pass(500);
    bench.socket.welcome(task.task_id);
    expect(bench.socket.frames.map(({ type }) => type)).toEqual(["hello", "drain"]);
    end.resolve();
    await bench.finish();
  });
});

it.each([true, false])(
  "a worker that is stopped before it could register does nothing more (socket %s)",
  async (websockets) => {
    const { worker, orchestrator } = workerBench({ websockets });
    orchestrator.answerNext(REGISTER, connectionRefused);
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    await settle();
    await worker.stop();
    await running;
    const asked = orchestrator.requests.length;
    await pass(120_000);
    expect(orchestrator.requests).toHaveLength(asked);
    expect(vi.getTimerCount()).toBe(0);
  },
);
