import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { WorkerOptions } from "../../../worker-sdk/src/index.ts";
import { aTask, connectionRefused, HEARTBEAT, NEXT, problem, REGISTER, RESULT } from "./support/fake-orchestrator.ts";
import { gate, pass, settle, workerBench } from "./support/worker-bench.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A worker that has registered and opened its first socket; `finish` stops it. */
async function connect(options: WorkerOptions, prepare: (bench: ReturnType<typeof workerBench>) => void) {
  const bench = workerBench(options);
  prepare(bench);
  const running = bench.worker.run({ handleSignals: false });
  await settle();
  return Object.assign(bench, {
    running,
    async finish() {
      const stopping = bench.worker.stop();
      await pass(60_000);
      await stopping;
      await running;
    },
  });
}

const accepted = "result_accepted_success" as const;

describe("the first words on a socket", () => {
  it("are a hello with slots and task types, after registration, with the token in the header", async () => {
    const bench = await connect({ maxConcurrentTasks: 3, orchestratorUrl: "https://jobs.example.com/base" }, ({ worker }) =>
      worker.task("work", () => {}).task("other", () => {}),
    );
    expect(bench.orchestrator.to("POST /base/_worker/workers/register")[0]?.body).toMatchObject({
      capabilities: { websockets: true },
    });
    const { socket } = bench;
    expect([socket.url, socket.token]).toEqual(["wss://jobs.example.com/base/_worker/ws/worker-1", "secret"]);
    socket.open();
    expect(socket.frames).toEqual([
      { type: "hello", slots: 3, supported_tasks: ["work", "other"], current_tasks: [] },
    ]);
    await bench.finish();
  });

  it("are repeated after a registration when the orchestrator does not know the worker", async () => {
    const bench = await connect({}, ({ worker }) => worker.task("work", () => {}));
    const { socket, orchestrator } = bench;
    socket.open();
    socket.receive({ type: "error", code: "unknown_worker", error: "Worker not found" });
    await settle();
    expect(orchestrator.to(REGISTER)).toHaveLength(2);
    expect(socket.of("hello")).toHaveLength(2);
    socket.receive({ type: "error", code: "unknown_worker", error: "Worker not found" });
    expect(socket.closedWith).toMatchObject({ code: 4003 });
    await bench.finish();
  });

  it("end the connection when nobody answers them", async () => {
    const bench = await connect({ heartbeatInterval: 5 }, ({ worker }) => worker.task("work", () => {}));
    bench.socket.open();
    await pass(15_000);
    expect(bench.sockets[0]?.closedWith).toEqual({ code: 4002, reason: "no welcome" });
    await pass(500);
    expect(bench.sockets).toHaveLength(2);
    await bench.finish();
  });
});

describe("tasks over a socket", () => {
  it("start at once and their results carry attempt and lease; no HTTP but the registration", async () => {
    const bench = await connect({}, ({ worker }) => worker.task("work", ({ params }) => ({ n: params["n"] })));
    const { socket, orchestrator } = bench;
    socket.welcome();
    const task = aTask({ params: { n: 1 }, attempt: 4 });
    socket.receive({ type: "task", task });
    await settle();
    expect(socket.of("result")).toEqual([
      {
        type: "result",
        job_id: task.job_id,
        task_id: task.task_id,
        worker_id: "worker-1",
        attempt: 4,
        lease: task.lease,
        result: { status: "success", data: { n: 1 } },
      },
    ]);
    socket.receive({ type: "result_ack", task_id: task.task_id, attempt: 4, status: accepted });
    await pass(120_000);
    expect(socket.of("result")).toHaveLength(1);
    expect(orchestrator.requests.map(({ route }) => route)).toEqual([REGISTER]);
    expect([orchestrator.to(HEARTBEAT), orchestrator.to(NEXT)]).toEqual([[], []]);
    await bench.finish();
  });

  it("report progress as frames, the latest value before the result", async () => {
    const bench = await connect({}, ({ worker }) =>
      worker.task("work", async ({ sendProgress }) => {
        for (const share of [0.1, 0.4, 0.8]) await sendProgress(share, `at ${share}`);
      }),
    );
    const { socket } = bench;
    socket.welcome();
    socket.receive({ type: "task", task: aTask() });
    await settle();
    const [, ...frames] = socket.frames;
    expect(frames.map((frame) => [frame.type, frame["progress"]])).toEqual([
      ["progress_update", 0.1],
      ["progress_update", 0.8],
      ["result", undefined],
    ]);
    await bench.finish();
  });

  it("end as cancelled when the orchestrator cancels them", async () => {
    const bench = await connect({}, ({ worker }) =>
      worker.task("work", async ({ signal, sendProgress }) => {
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        await sendProgress(0.5);
        signal.throwIfAborted();
      }),
    );
    const { socket } = bench;
    socket.welcome();
    const { task_id, job_id, ...rest } = aTask();
    socket.receive({ type: "task", task: { task_id, job_id, ...rest } });
    await settle();
    socket.receive({ type: "cancel_task", command: "cancel_task", task_id, job_id });
    await settle();
    expect(socket.of("result").map(({ result }) => result)).toEqual([{ status: "cancelled" }]);
    expect(socket.of("progress_update")).toEqual([]);
    await bench.finish();
  });

  it("go by HTTP when their result is larger than a frame", async () => {
    const bench = await connect({}, ({ worker }) => worker.task("work", () => "é".repeat(140_000)));
    const { socket, orchestrator } = bench;
    socket.welcome();
    const task = aTask();
    socket.receive({ type: "task", task });
    await settle();
    expect(socket.of("result")).toEqual([]);
    expect(orchestrator.results[0]).toMatchObject({ task_id: task.task_id, attempt: 1, lease: task.lease });
    await bench.finish();
    expect(orchestrator.results).toHaveLength(1);
  });

  it("become a failure in a frame when HTTP refuses their large result", async () => {
    const bench = await connect({}, ({ worker }) => worker.task("work", () => "x".repeat(300_000)));
    const { socket, orchestrator } = bench;
    orchestrator.answerNext(RESULT, problem(413, "Payload Too Large"));
    socket.welcome();
    socket.receive({ type: "task", task: aTask() });
    await settle();
    expect(socket.of("result").map(({ result }) => result)).toMatchObject([
      { status: "failure", error: { code: "PERMANENT_ERROR" } },
    ]);
    await bench.finish();
  });

  it("are not disturbed by frames from a newer orchestrator", async () => {
    const bench = await connect({}, ({ worker }) => worker.task("work", () => {}));
    const { socket } = bench;
    socket.welcome();
    // @ts-expect-error not a frame of this version
    socket.receive({ type: "weather", rain: true });
    socket.receive({ type: "task", task: aTask() });
    await settle();
    expect(socket.of("result")).toHaveLength(1);
    await bench.finish();
  });
});

describe("after a reconnect", () => {
  it("the hello names what is held, and unacknowledged results are sent again", async () => {
    const bench = await connect({}, ({ worker }) =>
      worker.task("work", () => ({ done: true })).task("long", ({ signal }) => new Promise((resolve) => signal.addEventListener("abort", resolve))),
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
    const held = [long, done].map(({ job_id, task_id, attempt, lease }) => ({ job_id, task_id, attempt, lease }));
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
    const bench = await connect({}, ({ worker }) => worker.task("work", () => end.promise));
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

  it("running tasks the welcome does not honour are aborted and their results dropped", async () => {
    const reasons: unknown[] = [];
    const bench = await connect({}, ({ worker }) =>
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
    const bench = await connect({}, ({ worker }) => worker.task("work", ({ signal }) => gate().promise.then(() => signal)));
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
    const bench = await connect({}, ({ worker }) => worker.task("work", () => {}));
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
    const bench = await connect({}, ({ worker }) => worker.task("work", () => {}));
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
    const bench = await connect({}, ({ worker }) => worker.task("work", () => {}));
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
    const bench = await connect({}, ({ worker }) => worker.task("work", () => {}));
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
    const bench = await connect({}, ({ worker }) => worker.task("work", () => {}));
    await pass(15_000);
    expect(bench.sockets[0]?.closedWith).toMatchObject({ reason: "not opened in time" });
    await bench.finish();
  });
});

describe("a graceful stop over a socket", () => {
  it("drains, lets running tasks end, waits for the acknowledgement, then closes", async () => {
    const end = gate();
    const { worker, socket, running } = await connect({}, (bench) => bench.worker.task("work", () => end.promise));
    socket.welcome();
    const task = aTask();
    socket.receive({ type: "task", task });
    await settle();
    const stopping = worker.stop();
    await pass(5_000);
    expect(socket.frames.at(-1)).toEqual({ type: "drain" });
    end.resolve();
    await pass(5_000);
    expect(socket.of("result")).toHaveLength(1);
    expect(socket.closedWith).toBeUndefined();
    socket.receive({ type: "result_ack", task_id: task.task_id, attempt: 1, status: accepted });
    await stopping;
    expect(socket.closedWith).toEqual({ code: 1000, reason: "worker stopped" });
    await running;
  });

  it("aborts what outlives the shutdown timeout and reports it as transient", async () => {
    const bench = await connect({ shutdownTimeout: 2 }, ({ worker }) =>
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
    const bench = await connect({ shutdownTimeout: 1 }, ({ worker }) =>
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

  it("says drain again when the connection breaks meanwhile", async () => {
    const end = gate();
    const bench = await connect({}, ({ worker }) => worker.task("work", () => end.promise));
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
