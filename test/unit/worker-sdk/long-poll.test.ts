import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  aTask,
  connectionRefused,
  noTask,
  NEXT,
  problem,
  PROGRESS,
  REGISTER,
  RESULT,
} from "./support/fake-orchestrator.ts";
import { gate, pass, settle, workerBench } from "./support/worker-bench.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a worker that polls", () => {
  it("registers, fetches a task, runs it and posts the result", async () => {
    const { worker, orchestrator } = workerBench({
      websockets: false,
      workerType: "cpu",
      maxConcurrentTasks: 4,
      resources: { cpu_cores: 8 },
    });
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

  it("leaves an orchestrator alone that has enough of it, and one that fails as long as it is told to", async () => {
    const { worker, orchestrator } = workerBench({ websockets: false, pollBackoffInitial: 4, pollBackoffMax: 6 });
    const away = problem(503, "away");
    orchestrator.answerNext(NEXT, problem(429, "Too Many Requests"), away, away, away);
    worker.task("work", () => {});
    const start = Date.now();
    const running = worker.run({ handleSignals: false });
    await pass(60_000);
    const polls = orchestrator.to(NEXT).map(({ at }) => at - start);
    // Half a minute and a twentieth; then three quarters of a pause that grows.
    expect(polls.slice(0, 5)).toEqual([0, 31_500, 36_000, 40_500, 45_000]);
    await worker.stop();
    await running;
  });

  it("asks again at once when a poll has waited in vain", async () => {
    const { worker, orchestrator } = workerBench({ websockets: false });
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    await pass(30_000);
    expect(orchestrator.to(NEXT)).toHaveLength(2);
    await worker.stop();
    await running;
  });

  it("does not ask in a hot loop when the orchestrator answers 204 without waiting", async () => {
    const { worker, orchestrator } = workerBench({ websockets: false });
    orchestrator.answerNext(NEXT, ...Array.from({ length: 100 }, () => noTask));
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    await pass(10_000);
    expect(orchestrator.to(NEXT)).toHaveLength(11);
    await worker.stop();
    await running;
  });

  it("does not do so either when its polls are short", async () => {
    const { worker, orchestrator } = workerBench({ websockets: false, taskPollTimeout: 0.2 });
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    await pass(10_000);
    expect(orchestrator.to(NEXT)).toHaveLength(11);
    await worker.stop();
    await running;
  });

  it("asks only while it has room", async () => {
    const { worker, orchestrator } = workerBench({ websockets: false, maxConcurrentTasks: 2 });
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
    const { worker, orchestrator } = workerBench({ websockets: false });
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

  it("starts again with a short pause once a poll went well", async () => {
    const { worker, orchestrator } = workerBench({ websockets: false });
    orchestrator.answerNext(NEXT, connectionRefused, connectionRefused, noTask, connectionRefused);
    worker.task("work", () => {});
    const start = Date.now();
    const running = worker.run({ handleSignals: false });
    await pass(10_000);
    expect(orchestrator.to(NEXT).map(({ at }) => at - start)).toEqual([0, 750, 2_250, 3_250, 4_000]);
    await worker.stop();
    await running;
  });

  it("registers again when the orchestrator does not know it", async () => {
    const { worker, orchestrator } = workerBench({ websockets: false });
    orchestrator.answerNext(NEXT, problem(404, "Worker not found"));
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    await pass(1_000);
    expect(orchestrator.requests.map(({ route }) => route)).toEqual([REGISTER, NEXT, REGISTER, NEXT]);
    await worker.stop();
    await running;
  });

  it("posts progress, the latest value before the result", async () => {
    const { worker, orchestrator } = workerBench({ websockets: false });
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
      { worker_id: "worker-1", job_id, task_id, progress: 0.1, message: "started" },
      { worker_id: "worker-1", job_id, task_id, progress: 0.9, message: "nearly" },
    ]);
    const routes = orchestrator.requests
      .map(({ route }) => route)
      .filter((route) => [PROGRESS, RESULT].includes(route));
    expect(routes).toEqual([PROGRESS, PROGRESS, RESULT]);
    await worker.stop();
    await running;
  });

  it("ends at once when it is stopped while a poll waits", async () => {
    const { worker } = workerBench({ websockets: false });
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    await settle();
    await worker.stop();
    await running;
  });
});
