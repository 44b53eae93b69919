import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { aTask, HEARTBEAT, problem, REGISTER } from "./support/fake-orchestrator.ts";
import { gate, pass, workerBench } from "./support/worker-bench.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("heartbeats", () => {
  it("go out every interval, and shortly after changes of the load, which share one", async () => {
    const { worker, orchestrator } = workerBench({ websockets: false, maxConcurrentTasks: 2 });
    const gates = [gate(), gate()];
    worker.task("work", ({ params }) => gates[Number(params["gate"])]?.promise);
    const start = Date.now();
    const running = worker.run({ handleSignals: false });
    await pass(15_000);
    orchestrator.offer(aTask({ task_id: "first", params: { gate: 0 } }));
    await pass(50);
    orchestrator.offer(aTask({ task_id: "second", params: { gate: 1 } }));
    await pass(19_950);
    gates[0]?.resolve();
    await pass(500);
    expect(orchestrator.to(HEARTBEAT).map(({ at, body }) => [at - start, body])).toEqual([
      [15_000, { load: 0, status: "idle", supported_tasks: ["work"], hot_cache: [], current_tasks: [] }],
      [15_100, { load: 2, status: "busy", supported_tasks: [], hot_cache: [], current_tasks: ["first", "second"] }],
      [30_100, { load: 2, status: "busy", supported_tasks: [], hot_cache: [], current_tasks: ["first", "second"] }],
      [35_100, { load: 1, status: "idle", supported_tasks: ["work"], hot_cache: [], current_tasks: ["second"] }],
    ]);
    gates[1]?.resolve();
    await worker.stop();
    await running;
  });

  it("follow a change that came while one was under way", async () => {
    const { worker, orchestrator } = workerBench({ websockets: false });
    const slow = Promise.withResolvers<Response>();
    orchestrator.answerNext(HEARTBEAT, () => slow.promise);
    const end = gate();
    worker.task("work", () => end.promise);
    const start = Date.now();
    const running = worker.run({ handleSignals: false });
    await pass(15_000);
    orchestrator.offer(aTask());
    await pass(500);
    expect(orchestrator.to(HEARTBEAT)).toHaveLength(1);
    slow.resolve(Response.json({ status: "ok" }));
    await pass(100);
    expect(orchestrator.to(HEARTBEAT).at(-1)).toMatchObject({ at: start + 15_600, body: { load: 1 } });
    end.resolve();
    await worker.stop();
    await running;
  });

  it("offer no task type any more while the worker stops", async () => {
    const { worker, orchestrator } = workerBench({ websockets: false });
    const end = gate();
    worker.task("work", () => end.promise);
    const running = worker.run({ handleSignals: false });
    orchestrator.offer(aTask());
    await pass(1_000);
    const stopping = worker.stop();
    await pass(100);
    expect(orchestrator.to(HEARTBEAT).map(({ body }) => body)).toMatchObject([
      { load: 1, status: "idle", supported_tasks: ["work"] },
      { load: 1, status: "draining", supported_tasks: [] },
    ]);
    end.resolve();
    await stopping;
    await running;
    expect(orchestrator.results).toHaveLength(1);
  });

  it("answered 404 make the worker register again", async () => {
    const { worker, orchestrator } = workerBench({ websockets: false });
    orchestrator.answerNext(HEARTBEAT, problem(404, "Worker not found"));
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    await pass(14_999);
    expect(orchestrator.to(REGISTER)).toHaveLength(1);
    await pass(1);
    expect(orchestrator.to(REGISTER)).toHaveLength(2);
    await pass(15_000);
    expect(orchestrator.to(HEARTBEAT)).toHaveLength(2);
    await worker.stop();
    await running;
  });

  it("answered 429 pause as long as asked", async () => {
    const { worker, orchestrator } = workerBench({ websockets: false });
    orchestrator.answerNext(HEARTBEAT, problem(429, "Too Many Requests", { "Retry-After": "40" }));
    worker.task("work", () => {});
    const start = Date.now();
    const running = worker.run({ handleSignals: false });
    await pass(60_000);
    expect(orchestrator.to(HEARTBEAT).map(({ at }) => at - start)).toEqual([15_000, 57_000]);
    await worker.stop();
    await running;
  });

  it("bring word of cancelled tasks", async () => {
    const { worker, orchestrator } = workerBench({ websockets: false });
    orchestrator.answerNext(HEARTBEAT, () => Response.json({ status: "ok", cancel_task_ids: ["t"] }));
    worker.task("work", ({ signal }) => new Promise((resolve) => signal.addEventListener("abort", resolve)));
    const running = worker.run({ handleSignals: false });
    orchestrator.offer(aTask({ task_id: "t" }));
    await pass(15_000);
    expect(orchestrator.results.map(({ result }) => result)).toEqual([{ status: "cancelled" }]);
    await worker.stop();
    await running;
  });

  it("bring no word of a later attempt, which has the same id and came while the answer was on its way", async () => {
    const { worker, orchestrator } = workerBench({ websockets: false });
    const answer = Promise.withResolvers<Response>();
    orchestrator.answerNext(HEARTBEAT, () => answer.promise);
    const gates = [gate(), gate()];
    worker.task("work", async ({ attempt }) => {
      await gates[attempt - 1]?.promise;
      return { attempt };
    });
    const running = worker.run({ handleSignals: false });
    orchestrator.offer(aTask({ task_id: "t", attempt: 1, lease: "first" }));
    await pass(15_000);
    expect(orchestrator.to(HEARTBEAT)).toMatchObject([{ body: { current_tasks: ["t"] } }]);
    // The orchestrator has this result when it reads the heartbeat, and so wants nothing more of the first attempt.
    gates[0]?.resolve();
    await pass(0);
    orchestrator.offer(aTask({ task_id: "t", attempt: 2, lease: "second" }));
    await pass(0);
    answer.resolve(Response.json({ status: "ok", cancel_task_ids: ["t"] }));
    await pass(0);
    gates[1]?.resolve();
    await pass(0);
    expect(orchestrator.results).toMatchObject([
      { attempt: 1, result: { status: "success" } },
      { attempt: 2, result: { status: "success", data: { attempt: 2 } } },
    ]);
    await worker.stop();
    await running;
  });
});
