import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  PermanentError,
  success,
  type Middleware,
  type TaskHandler,
  type TaskOptions,
} from "../../../worker-sdk/src/index.ts";
import { defineTask } from "../../../worker-sdk/src/tasks/task-catalog.ts";
import { runTask } from "../../../worker-sdk/src/tasks/task-runner.ts";
import { aTask } from "./support/fake-orchestrator.ts";
import { surroundings } from "./support/task-surroundings.ts";
import { workerBench } from "./support/worker-bench.ts";

function run(handler: TaskHandler, middleware: readonly Middleware[], options: TaskOptions = {}) {
  const task = aTask({ params: { n: 1 } });
  return runTask(defineTask("work", options, handler), task, surroundings(), middleware);
}

describe("middleware", () => {
  it("wraps the handler, the first added outermost", async () => {
    const order: string[] = [];
    const layer =
      (name: string): Middleware =>
      async (_context, next) => {
        order.push(`${name} in`);
        const outcome = await next();
        order.push(`${name} out`);
        return outcome;
      };
    const outcome = await run(() => void order.push("handler"), [layer("a"), layer("b")]);
    expect(order).toEqual(["a in", "b in", "handler", "b out", "a out"]);
    expect(outcome).toEqual({ status: "success" });
  });

  it("knows the task, and may change the params", async () => {
    const seen: unknown[] = [];
    const outcome = await run(
      ({ params }) => params,
      [
        (context, next) => {
          seen.push(context.task, context.params, context.attempt);
          context.params = { n: 2 };
          return next();
        },
      ],
    );
    expect(seen).toEqual(["work", { n: 1 }, 1]);
    expect(outcome).toEqual(success({ n: 2 }));
  });

  it("may change the outcome, and may answer without the handler", async () => {
    const counted: Middleware = async (_context, next) => ({ ...(await next()), status: "counted" });
    expect(await run(() => ({ n: 1 }), [counted])).toEqual(success({ n: 1 }, "counted"));
    let called = false;
    const cached = await run(() => void (called = true), [() => ({ from: "cache" })]);
    expect([called, cached]).toEqual([false, success({ from: "cache" })]);
  });

  it("sees what the handler throws, and may make something of it", async () => {
    const forgiving: Middleware = async (_context, next) => {
      try {
        return await next();
      } catch (error) {
        return { forgiven: String(error) };
      }
    };
    const throwing: TaskHandler = () => {
      throw new PermanentError("no");
    };
    expect(await run(throwing, [forgiving])).toEqual(success({ forgiven: "PermanentError: no" }));
    expect(await run(throwing, [(_context, next) => next()])).toMatchObject({ error: { code: "PERMANENT_ERROR" } });
  });

  it("that throws fails the task; one that runs it twice does too", async () => {
    const broken: Middleware = () => {
      throw new Error("no connection");
    };
    expect(await run(() => {}, [broken])).toMatchObject({ error: { message: "no connection" } });
    const twice: Middleware = async (_context, next) => {
      await next();
      return next();
    };
    let calls = 0;
    const outcome = await run(() => void calls++, [twice]);
    expect([calls, outcome]).toMatchObject([1, { error: { message: expect.stringContaining("called next() twice") } }]);
  });

  it("is held to the result schema too", async () => {
    const result = z.object({ n: z.number() });
    const spoiling: Middleware = () => ({ n: "1" });
    const task = defineTask("work", { result }, () => ({ n: 1 }));
    expect(await runTask(task, aTask(), surroundings(), [spoiling])).toMatchObject({
      error: { code: "CONTRACT_VIOLATION_ERROR" },
    });
  });

  it("is added before the worker runs", async () => {
    const { worker } = workerBench();
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    expect(() => worker.use((_context, next) => next())).toThrow("Add middleware before run().");
    await worker.stop();
    await running;
  });
});
