import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { aTask } from "./support/fake-orchestrator.ts";
import { fakeOrigin, poolOf } from "./support/task-surroundings.ts";
import { gate, pass, settle } from "./support/worker-bench.ts";

/** A pool of tasks that run until told to end: two of type gpu, one that is its own type. */
function limitedPool(capacity: number, limits: Record<string, number>) {
  const running: string[] = [];
  const gates = new Map<string, ReturnType<typeof gate>>();
  const handler = async ({ taskId, signal }: { taskId: string; signal: AbortSignal }) => {
    const end = gate();
    gates.set(taskId, end);
    running.push(taskId);
    signal.addEventListener("abort", () => end.resolve());
    await end.promise;
    running.splice(running.indexOf(taskId), 1);
    gates.delete(taskId);
  };
  const types = { paint: { handler, taskType: "gpu" }, train: { handler, taskType: "gpu" }, sort: { handler } };
  return { ...poolOf(capacity, types, limits), ...fakeOrigin(), running, gates };
}

describe("limits of task types", () => {
  it("let a task that came all the same wait until there is room, and others pass it", async () => {
    const { pool, origin, running, gates, delivered } = limitedPool(10, { gpu: 1 });
    for (const [id, type] of Object.entries({ a: "paint", b: "train", c: "sort", d: "paint" })) {
      pool.start(aTask({ task_id: id, type }), origin);
    }
    await new Promise(setImmediate);
    expect(running).toEqual(["a", "c"]);
    expect([pool.load, pool.hasRoom, pool.hasRoomFor("train"), pool.hasRoomFor("sort")]).toEqual([
      4,
      true,
      false,
      true,
    ]);
    gates.get("a")?.resolve();
    await vi.waitFor(() => expect(running).toEqual(["c", "b"]), 10_000);
    gates.get("b")?.resolve();
    await vi.waitFor(() => expect(running).toEqual(["c", "d"]), 10_000);
    for (const end of gates.values()) end.resolve();
    await pool.idle();
    expect(delivered.map(({ task, outcome }) => [task.task_id, outcome.status])).toEqual([
      ["a", "success"],
      ["b", "success"],
      ["c", "success"],
      ["d", "success"],
    ]);
  });

  it("and the capacity are never passed, and everything is done, whatever comes in whichever order", async () => {
    const command = fc.oneof(
      fc.constantFrom("paint", "train", "sort").map((type) => ({ start: type })),
      fc.nat({ max: 5 }).map((index) => ({ end: index })),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 0, max: 2 }),
        fc.array(command, { maxLength: 30 }),
        async (capacity, gpu, commands) => {
          const { pool, origin, running, gates, delivered } = limitedPool(capacity, { gpu });
          const types = new Map<string, string>();
          const check = () => {
            const gpuRunning = running.filter((id) => types.get(id) !== "sort").length;
            expect(gpuRunning).toBeLessThanOrEqual(gpu);
            expect(running.length).toBeLessThanOrEqual(capacity);
          };
          for (const next of commands) {
            if ("start" in next) {
              const task = aTask({ type: next.start });
              types.set(task.task_id, next.start);
              pool.start(task, origin);
            } else {
              gates.get(running[next.end] ?? "")?.resolve();
            }
            await new Promise(setImmediate);
            check();
          }
          // What may never run goes when it is aborted.
          if (gpu === 0) pool.abortAll("cancelled");
          while (pool.load > 0) {
            for (const end of gates.values()) end.resolve();
            await new Promise(setImmediate);
            check();
          }
          expect(delivered).toHaveLength(types.size);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("are told an orchestrator by the tasks they bound, less what others have of them", () => {
    const { pool, limits, origin } = limitedPool(10, { gpu: 2, sort: 5, misspelt: 1 });
    const { origin: other } = fakeOrigin();
    pool.start(aTask({ type: "paint" }), origin);
    expect(limits.forOrchestrator(pool.names(origin))).toEqual([
      { tasks: ["paint", "train"], max: 2 },
      { tasks: ["sort"], max: 5 },
    ]);
    expect(limits.forOrchestrator(pool.names(other))).toEqual([
      { tasks: ["paint", "train"], max: 1 },
      { tasks: ["sort"], max: 5 },
    ]);
    expect(limits.unused).toEqual(["misspelt"]);
  });
});

describe("a task that waits for room", () => {
  it("is cancelled without having run", async () => {
    const { pool, origin, running, delivered } = limitedPool(10, { gpu: 1 });
    pool.start(aTask({ task_id: "a", type: "paint" }), origin);
    pool.start(aTask({ task_id: "b", type: "paint" }), origin);
    await new Promise(setImmediate);
    pool.abort(origin, "b", "cancelled");
    await vi.waitFor(() => expect(delivered).toHaveLength(1), 10_000);
    expect(delivered).toMatchObject([{ task: { task_id: "b" }, outcome: { status: "cancelled" } }]);
    expect(running).toEqual(["a"]);
  });
});

describe("a deadline", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const inSeconds = (seconds: number) => Math.ceil(Date.now() / 1000) + seconds;

  it("aborts the task, which is reported as timed out", async () => {
    vi.setSystemTime(1_800_000_000_000);
    const causes: unknown[] = [];
    const { pool } = poolOf(1, {
      work: {
        async handler({ signal }) {
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
          causes.push(signal.reason.abortCause);
          return { late: true };
        },
      },
    });
    const { origin, delivered } = fakeOrigin();
    pool.start(aTask({ deadline: inSeconds(5) }), origin);
    await pass(4_999);
    expect(causes).toEqual([]);
    await pass(1);
    expect(causes).toEqual(["deadline"]);
    expect(delivered).toMatchObject([
      {
        outcome: {
          status: "failure",
          error: {
            code: "TIMEOUT_ERROR",
            message: "The task was not finished by its deadline.",
            deadline: 1_800_000_005,
          },
        },
      },
    ]);
  });

  it("holds for a task that waits for room", async () => {
    const { pool, origin, delivered } = limitedPool(1, {});
    pool.start(aTask({ type: "sort" }), origin);
    pool.start(aTask({ task_id: "late", type: "sort", deadline: inSeconds(1) }), origin);
    await pass(2_000);
    expect(delivered).toMatchObject([{ task: { task_id: "late" }, outcome: { error: { code: "TIMEOUT_ERROR" } } }]);
  });

  it("is meant by the orchestrator's clock", async () => {
    const { pool, running } = limitedPool(1, {});
    const { origin, delivered } = fakeOrigin();
    const behind = { ...origin, now: () => Date.now() - 60_000 };
    pool.start(aTask({ task_id: "t", type: "sort", deadline: inSeconds(-55) }), behind);
    await pass(3_000);
    expect(running).toEqual(["t"]);
    await pass(3_000);
    expect(delivered).toMatchObject([{ outcome: { error: { code: "TIMEOUT_ERROR" } } }]);
  });

  it("further off than a timer reaches is waited for all the same", async () => {
    const { pool, origin, running, delivered } = limitedPool(1, {});
    const days = 40 * 86_400;
    pool.start(aTask({ task_id: "t", type: "sort", deadline: inSeconds(days) }), origin);
    await pass((days - 1) * 1000);
    expect(running).toEqual(["t"]);
    await pass(2_000);
    expect(delivered).toMatchObject([{ outcome: { error: { code: "TIMEOUT_ERROR" } } }]);
  });

  it("does not keep a process alive once its task has ended", async () => {
    const { pool, origin, gates } = limitedPool(1, {});
    pool.start(aTask({ task_id: "t", type: "sort", deadline: inSeconds(60) }), origin);
    await settle();
    gates.get("t")?.resolve();
    await settle();
    expect(vi.getTimerCount()).toBe(0);
  });
});
