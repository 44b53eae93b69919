import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { aTask, HEARTBEAT, NEXT, REGISTER } from "./support/fake-orchestrator.ts";
import { connectedBench, gate, pass, settle, workerBench } from "./support/worker-bench.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const noTasks = { current_tasks: [] };

describe("over a socket, what a worker can take", () => {
  it("is in its hello, and what changes follows after a moment", async () => {
    const bench = await connectedBench(
      { skillDependencies: { paint: ["sdxl", "vae"] }, taskTypeLimits: { gpu: 1 } },
      (worker) => worker.task("paint", { taskType: "gpu" }, () => {}).task("sort", () => {}),
    );
    bench.socket.welcome();
    const limits = [{ tasks: ["paint"], max: 1 }];
    const { slots, supported_tasks, task_limits, hot_cache } = bench.socket.of("hello")[0] ?? {};
    expect({ slots, supported_tasks, task_limits, hot_cache }).toEqual({
      slots: 10,
      supported_tasks: ["paint", "sort"],
      task_limits: limits,
      hot_cache: undefined,
    });
    expect(bench.orchestrator.to(REGISTER)[0]?.body).toMatchObject({
      task_limits: limits,
      skill_dependencies: { paint: ["sdxl", "vae"] },
      hot_skills: [],
    });
    await pass(1_000);
    bench.worker.addToHotCache("sdxl");
    await pass(50);
    bench.worker.addToHotCache("vae");
    expect(bench.socket.of("state")).toEqual([]);
    await pass(50);
    bench.worker.addToHotCache("sdxl");
    await pass(1_000);
    expect(bench.socket.of("state")).toEqual([{ type: "state", hot_cache: ["sdxl", "vae"], hot_skills: ["paint"] }]);
    bench.worker.removeFromHotCache("vae");
    bench.worker.removeFromHotCache("unknown");
    await pass(100);
    expect(bench.socket.of("state")[1]).toEqual({ type: "state", hot_cache: ["sdxl"], hot_skills: [] });
    await bench.finish();
  });

  it("is said again in the hello after a break, as far as it is not as usual or was not", async () => {
    const bench = await connectedBench({}, (worker) => worker.task("work", () => {}));
    bench.socket.welcome();
    bench.worker.addToHotCache("sdxl");
    await pass(100);
    bench.socket.drop();
    await pass(500);
    bench.socket.welcome();
    expect(bench.socket.of("hello")).toMatchObject([{ hot_cache: ["sdxl"] }]);
    await pass(100);
    expect(bench.socket.of("state")).toEqual([]);
    bench.socket.drop();
    bench.worker.removeFromHotCache("sdxl");
    await pass(5_000);
    bench.socket.welcome();
    expect(bench.socket.of("hello")).toMatchObject([{ hot_cache: [] }]);
    bench.socket.drop();
    await pass(20_000);
    bench.socket.welcome();
    expect(bench.socket.of("hello")[0]).not.toHaveProperty("hot_cache");
    await bench.finish();
  });

  it("is said again in the hello when a word that it is as usual may have been lost with its connection", async () => {
    const bench = await connectedBench({}, (worker) => worker.task("work", () => {}));
    bench.socket.welcome();
    bench.worker.addToHotCache("sdxl");
    await pass(100);
    bench.worker.removeFromHotCache("sdxl");
    await pass(100);
    bench.socket.drop();
    await pass(500);
    // This hello gets no answer.
    bench.socket.open();
    expect(bench.socket.of("hello")[0]?.hot_cache).toEqual([]);
    for (const hotCache of [[], undefined]) {
      bench.socket.drop();
      await pass(5_000);
      bench.socket.welcome();
      expect(bench.socket.of("hello")[0]?.hot_cache).toEqual(hotCache);
    }
    await bench.finish();
  });

  it("costs no word when a task comes and goes", async () => {
    const bench = await connectedBench({ taskTypeLimits: { work: 1 } }, (worker) => worker.task("work", () => {}));
    bench.socket.welcome();
    bench.socket.receive({ type: "task", task: aTask() });
    await pass(1_000);
    expect(bench.socket.frames.map(({ type }) => type)).toEqual(["hello", "result"]);
    await bench.finish();
  });

  it("changes from within a handler", async () => {
    const bench = await connectedBench({}, (worker) =>
      worker.task("work", ({ addToHotCache, removeFromHotCache }) => {
        addToHotCache("a");
        addToHotCache("b");
        removeFromHotCache("a");
      }),
    );
    bench.socket.welcome();
    bench.socket.receive({ type: "task", task: aTask() });
    await pass(100);
    expect(bench.socket.of("state")).toEqual([{ type: "state", hot_cache: ["b"] }]);
    await bench.finish();
  });

  it("is nothing while it drains, which is said at once", async () => {
    const bench = await connectedBench({}, (worker) => worker.task("work", () => {}));
    bench.socket.welcome();
    bench.worker.drain();
    expect(bench.socket.of("state")).toEqual([{ type: "state", status: "draining" }]);
    bench.worker.drain();
    bench.worker.resume();
    bench.worker.resume();
    expect(bench.socket.of("state")).toEqual([
      { type: "state", status: "draining" },
      { type: "state", status: "idle" },
    ]);
    bench.worker.drain();
    bench.socket.drop();
    await pass(500);
    bench.socket.open();
    expect(bench.socket.of("hello")).toMatchObject([{ status: "draining" }]);
    await bench.finish();
  });
});

describe("by long poll, what a worker can take", () => {
  it("shrinks in its heartbeats while a type is full", async () => {
    const { worker, orchestrator } = workerBench({ websockets: false, taskTypeLimits: { gpu: 1 } });
    const end = gate();
    worker.task("paint", { taskType: "gpu" }, () => end.promise);
    worker.task("train", { taskType: "gpu" }, () => {});
    worker.task("sort", () => {});
    const running = worker.run({ handleSignals: false });
    orchestrator.offer(aTask({ task_id: "t", type: "paint" }));
    await pass(100);
    end.resolve();
    await pass(100);
    expect(orchestrator.to(HEARTBEAT).map(({ body }) => body)).toEqual([
      { load: 1, status: "idle", supported_tasks: ["sort"], hot_cache: [], current_tasks: ["t"] },
      { load: 0, status: "idle", supported_tasks: ["paint", "train", "sort"], hot_cache: [], ...noTasks },
    ]);
    await worker.stop();
    await running;
  });

  it("is not asked for while it drains, and again afterwards", async () => {
    const { worker, orchestrator } = workerBench({ websockets: false });
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    await settle();
    expect(orchestrator.to(NEXT)).toHaveLength(1);
    worker.drain();
    await pass(60_000);
    expect(orchestrator.to(NEXT)).toHaveLength(1);
    expect(orchestrator.to(HEARTBEAT)[0]?.body).toMatchObject({ status: "draining", supported_tasks: [] });
    worker.resume();
    await pass(100);
    expect(orchestrator.to(NEXT)).toHaveLength(2);
    expect(orchestrator.to(HEARTBEAT).at(-1)?.body).toMatchObject({ status: "idle", supported_tasks: ["work"] });
    orchestrator.offer(aTask());
    await settle();
    expect(orchestrator.results).toHaveLength(1);
    await worker.stop();
    await running;
  });

  it("tells what is loaded", async () => {
    const { worker, orchestrator } = workerBench({ websockets: false, skillDependencies: { paint: ["sdxl"] } });
    worker.task("paint", () => {});
    const running = worker.run({ handleSignals: false });
    await settle();
    worker.addToHotCache("sdxl");
    await pass(100);
    expect(orchestrator.to(HEARTBEAT)[0]?.body).toMatchObject({ hot_cache: ["sdxl"], hot_skills: ["paint"] });
    await worker.stop();
    await running;
  });
});

describe("a capacity checker", () => {
  it("is asked about every task before the worker registers, regularly, and when tasks have come or gone", async () => {
    let free = 0;
    const asked: string[] = [];
    const bench = await connectedBench(
      {
        capacityChecker: async (name) => {
          asked.push(name);
          return name === "sort" || free > 0;
        },
      },
      (worker) => worker.task("paint", () => {}).task("sort", () => {}),
    );
    bench.socket.welcome();
    expect(bench.orchestrator.to(REGISTER)[0]?.body).toMatchObject({ supported_tasks: ["sort"] });
    expect(bench.socket.of("hello")[0]?.supported_tasks).toEqual(["sort"]);
    expect(asked).toEqual(["paint", "sort"]);
    free = 1;
    await pass(15_100);
    expect(bench.socket.of("state")).toEqual([{ type: "state", supported_tasks: ["paint", "sort"] }]);
    free = 0;
    bench.socket.receive({ type: "task", task: aTask({ type: "sort" }) });
    await pass(100);
    expect(bench.socket.of("state")[1]).toEqual({ type: "state", supported_tasks: ["sort"] });
    await bench.finish();
    const before = asked.length;
    await pass(60_000);
    expect(asked).toHaveLength(before);
  });

  it("is asked again about what changed while it was asked", async () => {
    const answers: Array<(room: boolean) => void> = [];
    const bench = workerBench({
      websockets: false,
      capacityChecker: () => new Promise((resolve) => void answers.push(resolve)),
    });
    bench.worker.task("work", () => {});
    const running = bench.worker.run({ handleSignals: false });
    await settle();
    answers[0]?.(true);
    await settle();
    bench.orchestrator.offer(aTask());
    await pass(1_000);
    expect(answers).toHaveLength(2);
    bench.orchestrator.offer(aTask());
    await pass(1_000);
    expect(answers).toHaveLength(2);
    answers[1]?.(true);
    await settle();
    expect(answers).toHaveLength(3);
    answers[2]?.(true);
    await bench.worker.stop();
    await running;
  });

  it("that fails speaks against taking more, and says so", async () => {
    const bench = await connectedBench(
      {
        capacityChecker() {
          throw new Error("no sensor");
        },
      },
      (worker) => worker.task("work", () => {}),
    );
    bench.socket.welcome();
    expect(bench.socket.of("hello")[0]?.supported_tasks).toEqual([]);
    expect(bench.log).toContainEqual({
      level: "warn",
      event: "capacity.check_failed",
      task: "work",
      error: "no sensor",
    });
    await bench.finish();
  });
});

it("a limit that no task has is warned of", async () => {
  const bench = await connectedBench({ taskTypeLimits: { gpo: 1 } }, (worker) =>
    worker.task("paint", { taskType: "gpu" }, () => {}),
  );
  expect(bench.log).toContainEqual({ level: "warn", event: "limit.of_no_task", task_type: "gpo" });
  await bench.finish();
});
