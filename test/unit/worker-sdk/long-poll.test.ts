import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { WorkerOptions } from "../../../worker-sdk/src/index.ts";
import {
  aTask,
  connectionRefused,
  HEARTBEAT,
  NEXT,
  problem,
  PROGRESS,
  REGISTER,
  RESULT,
} from "./support/fake-orchestrator.ts";
import { gate, pass, settle, workerBench } from "./support/worker-bench.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function bench(options: WorkerOptions = {}) {
  return workerBench({ websockets: false, ...options });
}

describe("a worker that polls", () => {
  it("registers, fetches a task, runs it and posts the result", async () => {
    const { worker, orchestrator } = bench({ workerType: "cpu", maxConcurrentTasks: 4, resources: { cpu_cores: 8 } });
    worker.task("work", ({ params }) => ({ doubled: Number(params["n"]) * 2 }));
    const running = worker.run({ handleSignals: false });
    const task = aTask({ params: { n: 21 }, attempt: 2 });
    orchestrator.offer(task);
    await settle();
    expect(orchestrator.requests[0]).toMatchObject({
      route: REGISTER,
      token: "secret",
      body: {
        worker_id: "worker-1",
        worker_type: "cpu",
        supported_tasks: ["work"],
        max_concurrent_tasks: 4,
        resources: { cpu_cores: 8 },
        capabilities: { websockets: false },
      },
    });
    expect(orchestrator.results).toEqual([
      {
        job_id: task.job_id,
        task_id: task.task_id,
        worker_id: "worker-1",
        attempt: 2,
        lease: task.lease,
        result: { status: "success", data: { doubled: 42 } },
      },
    ]);
    await worker.stop();
    await running;
  });

  it("asks again at once when a poll has waited in vain", async () => {
    const { worker, orchestrator } = bench();
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    await pass(30_000);
    expect(orchestrator.to(NEXT)).toHaveLength(2);
    await worker.stop();
    await running;
  });

  it("does not ask in a hot loop when the orchestrator answers 204 without waiting", async () => {
    const { worker, orchestrator } = bench();
    orchestrator.answerNext(NEXT, ...Array.from({ length: 100 }, () => () => new Response(null, { status: 204 })));
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    await pass(10_000);
    expect(orchestrator.to(NEXT)).toHaveLength(11);
    await worker.stop();
    await running;
  });

  it("asks only while it has room", async () => {
    const { worker, orchestrator } = bench({ maxConcurrentTasks: 2 });
    const gates = [gate(), gate()];
    worker.task("work", ({ params }) => gates[Number(params["gate"])]?.promise);
    const running = worker.run({ handleSignals: false });
    orchestrator.offer(aTask({ params: { gate: 0 } }));
    orchestrator.offer(aTask({ params: { gate: 1 } }));
    await pass(60_000);
    expect(orchestrator.to(NEXT)).toHaveLength(2);
    gates[0]?.resolve();
    await settle();
    expect(orchestrator.to(NEXT)).toHaveLength(3);
    gates[1]?.resolve();
    await worker.stop();
    await running;
  });

  it("backs off while polls fail, as long as a Retry-After asks for, and recovers", async () => {
    const { worker, orchestrator } = bench();
    orchestrator.answerNext(
      NEXT,
      problem(500, "oops"),
      connectionRefused,
      problem(429, "Too Many Requests", { "Retry-After": "20" }),
    );
    worker.task("work", () => {});
    const start = Date.now();
    const running = worker.run({ handleSignals: false });
    await pass(60_000);
    // Chance is one half: three quarters of 1 s, then of 2 s, then 20 s and half a tenth.
    const polls = orchestrator.to(NEXT).map(({ at }) => at - start);
    expect(polls.slice(0, 4)).toEqual([0, 750, 2_250, 23_250]);
    await worker.stop();
    await running;
  });

  it("posts progress, the latest value before the result", async () => {
    const { worker, orchestrator } = bench();
    worker.task("work", async ({ sendProgress }) => {
      await sendProgress(0.1, "started");
      await sendProgress(0.5);
      await sendProgress(0.9, "nearly");
    });
    const running = worker.run({ handleSignals: false });
    const { job_id, task_id } = aTask();
    orchestrator.offer(aTask({ job_id, task_id }));
    await settle();
    expect(orchestrator.progress).toEqual([
      { job_id, task_id, progress: 0.1, message: "started" },
      { job_id, task_id, progress: 0.9, message: "nearly" },
    ]);
    const routes = orchestrator.requests.map(({ route }) => route).filter((route) => [PROGRESS, RESULT].includes(route));
    expect(routes).toEqual([PROGRESS, PROGRESS, RESULT]);
    await worker.stop();
    await running;
  });

  it("ends at once when it is stopped while a poll waits", async () => {
    const { worker } = bench();
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    await settle();
    await worker.stop();
    await running;
  });
});

describe("results by HTTP", () => {
  it("are tried again with growing delays", async () => {
    const { worker, orchestrator } = bench();
    orchestrator.answerNext(RESULT, problem(503, "away"), connectionRefused, problem(500, "oops"), problem(502, "proxy"));
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    orchestrator.offer(aTask());
    await pass(15_000);
    const posts = orchestrator.to(RESULT).map(({ at }) => at);
    expect(posts.map((at) => at - (posts[0] ?? 0))).toEqual([0, 750, 2_250, 5_250, 11_250]);
    await worker.stop();
    await running;
  });

  it("are given up, and said so, after five attempts", async () => {
    const { worker, orchestrator, log } = bench();
    orchestrator.answerNext(RESULT, ...Array.from({ length: 9 }, () => problem(500, "oops")));
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    orchestrator.offer(aTask({ task_id: "t" }));
    await pass(120_000);
    expect(orchestrator.to(RESULT)).toHaveLength(5);
    expect(log).toContainEqual(
      expect.objectContaining({ level: "error", event: "result.not_delivered", task_id: "t", error: "HTTP 500: oops" }),
    );
    await worker.stop();
    await running;
  });

  it("that are refused for good become a failure the job can learn of", async () => {
    const { worker, orchestrator } = bench();
    orchestrator.answerNext(RESULT, problem(413, "Payload Too Large"));
    worker.task("work", () => "much");
    const running = worker.run({ handleSignals: false });
    orchestrator.offer(aTask());
    await settle();
    expect(orchestrator.results.map(({ result }) => result)).toEqual([
      { status: "success", data: "much" },
      {
        status: "failure",
        error: {
          code: "PERMANENT_ERROR",
          message: "The result of the task could not be handed over: HTTP 413: Payload Too Large",
        },
      },
    ]);
    await worker.stop();
    await running;
  });

  it("that no credential opens the door for are not tried again", async () => {
    const { worker, orchestrator, log } = bench();
    orchestrator.answerNext(RESULT, problem(403, "not yours"));
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    orchestrator.offer(aTask());
    await pass(60_000);
    expect(orchestrator.to(RESULT)).toHaveLength(1);
    expect(log.map(({ event }) => event)).toContain("result.not_delivered");
    await worker.stop();
    await running;
  });

  it("that changed nothing are noted with the reason", async () => {
    const { worker, orchestrator, log } = bench();
    orchestrator.answerNext(RESULT, () => Response.json({ status: "ignored", reason: "stale_task" }));
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    orchestrator.offer(aTask({ task_id: "t" }));
    await settle();
    expect(log).toContainEqual({ level: "warn", event: "result.ignored", task_id: "t", reason: "stale_task" });
    await worker.stop();
    await running;
  });
});

describe("heartbeats", () => {
  it("go out every interval, and shortly after changes of the load, which share one", async () => {
    const { worker, orchestrator } = bench({ maxConcurrentTasks: 2 });
    const gates = [gate(), gate()];
    worker.task("work", ({ params }) => gates[Number(params["gate"])]?.promise);
    const start = Date.now();
    const running = worker.run({ handleSignals: false });
    await pass(15_000);
    orchestrator.offer(aTask({ params: { gate: 0 } }));
    orchestrator.offer(aTask({ params: { gate: 1 } }));
    await pass(20_000);
    gates[0]?.resolve();
    await pass(500);
    expect(orchestrator.to(HEARTBEAT).map(({ at, body }) => [at - start, body])).toEqual([
      [15_000, { load: 0, status: "idle", supported_tasks: ["work"], hot_cache: [] }],
      [15_100, { load: 2, status: "busy", supported_tasks: [], hot_cache: [] }],
      [30_100, { load: 2, status: "busy", supported_tasks: [], hot_cache: [] }],
      [35_100, { load: 1, status: "idle", supported_tasks: ["work"], hot_cache: [] }],
    ]);
    gates[1]?.resolve();
    await worker.stop();
    await running;
  });

  it("answered 404 make the worker register again", async () => {
    const { worker, orchestrator } = bench();
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
    const { worker, orchestrator } = bench();
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
    const { worker, orchestrator } = bench();
    orchestrator.answerNext(HEARTBEAT, () => Response.json({ status: "ok", cancel_task_ids: ["t"] }));
    worker.task("work", ({ signal }) => new Promise((resolve) => signal.addEventListener("abort", resolve)));
    const running = worker.run({ handleSignals: false });
    orchestrator.offer(aTask({ task_id: "t" }));
    await pass(15_000);
    expect(orchestrator.results.map(({ result }) => result)).toEqual([{ status: "cancelled" }]);
    await worker.stop();
    await running;
  });
});
