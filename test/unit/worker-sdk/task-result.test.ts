import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { failure, success, type HandlerReturn } from "../../../worker-sdk/src/index.ts";
import { defineTask } from "../../../worker-sdk/src/tasks/task-catalog.ts";
import { runTask } from "../../../worker-sdk/src/tasks/task-runner.ts";
import { aTask } from "./support/fake-orchestrator.ts";
import { surroundings } from "./support/task-surroundings.ts";
import { workerBench } from "./support/worker-bench.ts";

const picture = z.object({ width: z.number().int(), format: z.string().default("png") });

/** Runs a task that promises a picture and whose handler keeps to no type. */
function promising(returned: HandlerReturn) {
  const untyped = z.custom<HandlerReturn>(() => true).pipe(picture);
  return runTask(
    defineTask("work", { result: untyped }, () => returned),
    aTask(),
    surroundings(),
  );
}

describe("a result schema", () => {
  it("that makes of the data what is not JSON fails the task for good", async () => {
    const result = z.coerce.bigint();
    const outcome = await runTask(
      defineTask("work", { result }, () => "12"),
      aTask(),
      surroundings(),
    );
    expect(outcome).toMatchObject({
      status: "failure",
      error: { code: "PERMANENT_ERROR", message: expect.stringContaining("BigInt") },
    });
  });

  it.each([
    ["data that fit, as the schema reads them", { width: 3 }, success({ width: 3, format: "png" })],
    ["the data of an outcome", success({ width: 3 }), success({ width: 3, format: "png" })],
    [
      "the data of a status of the blueprint's own",
      success({ width: 3, extra: 1 }, "needs_review"),
      success({ width: 3, format: "png" }, "needs_review"),
    ],
    ["such a status without data", { status: "empty" }, { status: "empty" }],
    ["a failure", failure({ code: "NO_PAINT", message: "none" }), failure({ code: "NO_PAINT", message: "none" })],
    ["a cancellation", { status: "cancelled" }, { status: "cancelled" }],
  ])("lets pass %s", async (_, returned, outcome) => {
    expect(await promising(returned)).toEqual(outcome);
  });

  it.each([
    ["data of another type", { width: "3" }, "data.width: "],
    ["no data", undefined, "data: "],
    ["a text", "done", "data: "],
    ["unfit data of a status of the blueprint's own", success({ width: 1.5 }, "needs_review"), "data.width: "],
  ])("makes a violated contract of %s", async (_, returned, path) => {
    const outcome = await promising(returned);
    expect(outcome).toMatchObject({ status: "failure", error: { code: "CONTRACT_VIOLATION_ERROR" } });
    expect(outcome?.error).toHaveProperty(
      "message",
      expect.stringContaining(`The result of the task "work" is not what it promises: ${path}`),
    );
  });

  it("takes exactly what it parses", async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (data) => {
        const parsed = picture.safeParse(data);
        const outcome = await promising(success(data));
        expect(outcome?.status).toBe(parsed.success ? "success" : "failure");
        if (parsed.success) expect(outcome?.data).toEqual(parsed.data);
      }),
    );
  });
});

describe("the types of a task", () => {
  const params = z.object({ width: z.number() });
  const result = z.object({ area: z.number() });

  it("follow from its schemas, each alone and both", () => {
    const { worker } = workerBench();
    worker
      .task("both", { params, result }, ({ params: { width } }) => ({ area: width.valueOf() }))
      .task("outcome", { params, result }, async ({ params: { width } }) => success({ area: width }))
      .task("own_status", { result }, () => ({ status: "too_small", data: { area: 1 } }))
      .task("fails", { result }, () => failure("no"))
      .task("result", { result, taskType: "gpu" }, ({ params: { any } }) => ({ area: Number(any) }))
      .task("type", { taskType: "gpu" }, ({ params: { any } }) => [any]);
    const events = { started: z.object({ url: z.string() }), stopped: z.undefined() };
    worker.task("events", { events }, async ({ sendEvent }) => {
      await sendEvent("started", { url: "rtmp://x" }, { eventId: "e" });
      await sendEvent("stopped", undefined);
      // @ts-expect-error it is not declared
      await sendEvent("paused", {});
      // @ts-expect-error url is a text
      await sendEvent("started", { url: 7 });
    });
    worker.task("any_events", ({ sendEvent }) => sendEvent("anything", { at: "all" }));
    // @ts-expect-error area is a number
    worker.task("wrong", { result }, () => ({ area: "1" }));
    // @ts-expect-error area is missing
    worker.task("missing", { result }, () => ({}));
    // @ts-expect-error the data of an outcome are a result too
    worker.task("wrong_outcome", { result }, () => success({ area: "1" }));
    // @ts-expect-error a result has to be returned
    worker.task("nothing", { params, result }, () => {});
  });
});
