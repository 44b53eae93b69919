import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { aTask, HEARTBEAT, NEXT, problem, REGISTER, RESULT } from "./support/fake-orchestrator.ts";
import { connectedBench, pass, settle } from "./support/worker-bench.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const accepted = "result_accepted_success" as const;

describe("the first words on a socket", () => {
  it("are a hello with slots and task types, after registration, with the token in the header", async () => {
    const bench = await connectedBench(
      { maxConcurrentTasks: 3, orchestratorUrl: "https://jobs.example.com/base" },
      (worker) => worker.task("work", () => {}).task("other", () => {}),
    );
    expect(bench.orchestrator.to("POST /base/_worker/workers/register")[0]?.body).toMatchObject({
      capabilities: { websockets: true },
    });
    const { socket } = bench;
    expect([socket.url, socket.token]).toEqual(["wss://jobs.example.com/base/_worker/ws/worker-1", "secret"]);
    socket.open();
    expect(socket.frames).toEqual([{ type: "hello", slots: 3, supported_tasks: ["work", "other"], current_tasks: [] }]);
    await bench.finish();
  });

  it("are repeated after a registration when the orchestrator does not know the worker", async () => {
    const bench = await connectedBench({}, (worker) => worker.task("work", () => {}));
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
    const bench = await connectedBench({ heartbeatInterval: 5 }, (worker) => worker.task("work", () => {}));
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
    const bench = await connectedBench({}, (worker) => worker.task("work", ({ params }) => ({ n: params["n"] })));
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
    const bench = await connectedBench({}, (worker) =>
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
    const bench = await connectedBench({}, (worker) =>
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
    const bench = await connectedBench({}, (worker) => worker.task("work", () => "é".repeat(140_000)));
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
    const bench = await connectedBench({}, (worker) => worker.task("work", () => "x".repeat(300_000)));
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
    const bench = await connectedBench({}, (worker) => worker.task("work", () => {}));
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
