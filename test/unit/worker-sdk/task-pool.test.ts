import { describe, expect, it } from "vitest";
import type { TaskAbortedError, TaskHandler } from "../../../worker-sdk/src/index.ts";
import { aTask } from "./support/fake-orchestrator.ts";
import { fakeOrigin, poolOf } from "./support/task-surroundings.ts";
import { gate } from "./support/worker-bench.ts";

function workPool(capacity: number, handler: TaskHandler) {
  return { ...poolOf(capacity, { work: { handler } }), ...fakeOrigin() };
}

describe("TaskPool", () => {
  it("runs tasks side by side and has room again when one has ended", async () => {
    const gates = new Map([
      ["a", gate()],
      ["b", gate()],
    ]);
    const { pool, origin, delivered } = workPool(2, ({ taskId }) => gates.get(taskId)?.promise);
    pool.start(aTask({ task_id: "a" }), origin);
    pool.start(aTask({ task_id: "b" }), origin);
    expect([pool.load, pool.hasRoom]).toEqual([2, false]);
    const changed = new Promise<void>((resolve) => pool.onChange(resolve));
    gates.get("b")?.resolve();
    await changed;
    expect(pool.hasRoom).toBe(true);
    expect(delivered.map(({ task }) => task.task_id)).toEqual(["b"]);
    gates.get("a")?.resolve();
    await pool.idle();
    expect(pool.load).toBe(0);
  });

  it("starts the same hand-over once", async () => {
    let calls = 0;
    const end = gate();
    const { pool, origin, delivered } = workPool(5, () => {
      calls++;
      return end.promise;
    });
    const task = aTask();
    pool.start(task, origin);
    await new Promise(setImmediate);
    pool.start({ ...task }, origin);
    end.resolve();
    await pool.idle();
    expect([calls, delivered.length]).toEqual([1, 1]);
  });

  it("replaces an older attempt of a task by the newer one, whose outcome alone counts", async () => {
    const { pool, origin, delivered } = workPool(5, async ({ attempt, signal }) => {
      if (attempt === 1) await new Promise((resolve) => signal.addEventListener("abort", resolve));
      return { attempt };
    });
    const first = aTask();
    const second = { ...first, attempt: 2, lease: "other" };
    pool.start(first, origin);
    await Promise.resolve();
    pool.start(second, origin);
    expect(pool.heldFrom(origin)).toEqual([second]);
    await pool.idle();
    expect(delivered).toEqual([{ task: second, outcome: { status: "success", data: { attempt: 2 } } }]);
  });

  it("knows what is held from whom", () => {
    const { pool, origin } = workPool(5, () => gate().promise);
    const { origin: other } = fakeOrigin();
    const mine = aTask();
    const theirs = aTask();
    pool.start(mine, origin);
    pool.start(theirs, other);
    expect(pool.heldFrom(origin)).toEqual([mine]);
    expect(pool.heldFrom(other)).toEqual([theirs]);
  });

  it("tells a handler why it is to end", async () => {
    const seen = Promise.withResolvers<TaskAbortedError>();
    const { pool, origin } = workPool(5, ({ signal }) => {
      signal.addEventListener("abort", () => seen.resolve(signal.reason));
      return seen.promise.then(() => "ended");
    });
    const task = aTask();
    pool.start(task, origin);
    await new Promise(setImmediate);
    pool.abort(origin, task.task_id, "cancelled");
    pool.abort(origin, "unknown", "cancelled");
    const reason = await seen.promise;
    expect([reason.abortCause, reason.message]).toEqual(["cancelled", "The task was cancelled."]);
  });

  it("keeps apart tasks of the same id from two orchestrators", async () => {
    const causes: string[] = [];
    const { pool, origin } = workPool(5, async ({ jobId, signal }) => {
      signal.addEventListener("abort", () => causes.push(`${jobId} ${String(signal.reason.abortCause)}`));
      await gate().promise;
    });
    const { origin: other } = fakeOrigin();
    pool.start(aTask({ job_id: "mine", task_id: "same" }), origin);
    pool.start(aTask({ job_id: "theirs", task_id: "same", attempt: 2 }), other);
    await new Promise(setImmediate);
    pool.abort(other, "same", "cancelled");
    expect(causes).toEqual(["theirs cancelled"]);
  });

  it.each([
    ["what is no text", Object.create(null)],
    ["an error that is its own cause", Object.assign(new Error("round"), { cause: undefined })],
  ])("has its place back when a handler throws %s", async (_, thrown: unknown) => {
    if (thrown instanceof Error) thrown.cause = thrown;
    const { pool, origin, delivered } = workPool(1, () => {
      throw thrown;
    });
    pool.start(aTask(), origin);
    await pool.idle();
    expect(delivered).toMatchObject([{ outcome: { status: "failure", error: { code: "TRANSIENT_ERROR" } } }]);
  });
});
