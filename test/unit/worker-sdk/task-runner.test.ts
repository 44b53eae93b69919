import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  InvalidInputError,
  PermanentError,
  success,
  TaskAbortedError,
  TransientError,
  type AbortCause,
  type TaskHandler,
} from "../../../worker-sdk/src/index.ts";
import { readReturnValue } from "../../../worker-sdk/src/tasks/outcome.ts";
import { defineTask } from "../../../worker-sdk/src/tasks/task-catalog.ts";
import { runTask } from "../../../worker-sdk/src/tasks/task-runner.ts";
import { aTask } from "./support/fake-orchestrator.ts";
import { surroundings } from "./support/task-surroundings.ts";

function run(handler: TaskHandler, signal?: AbortSignal) {
  return runTask(defineTask("work", {}, handler), aTask(), surroundings(signal));
}

describe("what a handler returns", () => {
  it.each([
    ["nothing", undefined, { status: "success" }],
    ["a plain object", { width: 10 }, { status: "success", data: { width: 10 } }],
    ["an empty object", {}, { status: "success", data: {} }],
    ["null", null, { status: "success", data: null }],
    ["a list", [1, 2], { status: "success", data: [1, 2] }],
    ["a text", "done", { status: "success", data: "done" }],
    [
      "a word of the blueprint",
      { status: "needs_review", data: { score: 3 } },
      { status: "needs_review", data: { score: 3 } },
    ],
    ["a status alone", { status: "empty" }, { status: "empty" }],
    [
      "a failure",
      { status: "failure", error: { code: "PERMANENT_ERROR", message: "no" } },
      { status: "failure", error: { code: "PERMANENT_ERROR", message: "no" } },
    ],
    ["a status with other keys", { status: "open", id: 7 }, { status: "success", data: { status: "open", id: 7 } }],
    ["a status that is no text", { status: 200 }, { status: "success", data: { status: 200 } }],
    ["wrapped data", success({ status: "open" }), { status: "success", data: { status: "open" } }],
  ])("takes %s", async (_, returned, outcome) => {
    expect(await run(() => returned)).toEqual(outcome);
  });

  it("takes any JSON value back out of success() unchanged", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (data) => {
        expect(readReturnValue(success(data))).toEqual({ status: "success", data });
      }),
    );
  });

  it.each([
    ["a big integer", { size: 10n }],
    ["a malformed error", { status: "failure", error: 42 }],
  ])("makes %s a permanent error", async (_, returned) => {
    expect(await run(() => returned)).toMatchObject({ status: "failure", error: { code: "PERMANENT_ERROR" } });
  });
});

describe("what a handler throws", () => {
  it.each([
    [new PermanentError("broken file"), "PERMANENT_ERROR", "broken file"],
    [new InvalidInputError("no such format"), "INVALID_INPUT_ERROR", "no such format"],
    [new TransientError("try later"), "TRANSIENT_ERROR", "try later"],
    [new Error("disk full"), "TRANSIENT_ERROR", "disk full"],
    [new Error("upload", { cause: new Error("timed out") }), "TRANSIENT_ERROR", "upload: timed out"],
    ["a bare text", "TRANSIENT_ERROR", "a bare text"],
  ])("maps %s", async (thrown, code, message) => {
    const outcome = await run(() => {
      throw thrown;
    });
    expect(outcome).toEqual({ status: "failure", error: { code, message } });
  });
});

describe("params", () => {
  const size = z.object({
    image: z.object({ width: z.number(), height: z.number() }),
    format: z.string().default("png"),
  });

  it("arrive as the schema reads them", async () => {
    const definition = defineTask("work", { params: size }, ({ params }) => ({
      area: params.image.width * params.image.height,
      as: params.format,
    }));
    const task = aTask({ params: { image: { width: 2, height: 3 } } });
    expect(await runTask(definition, task, surroundings())).toEqual({
      status: "success",
      data: { area: 6, as: "png" },
    });
  });

  it("that do not fit are an invalid input that names each field", async () => {
    const definition = defineTask("work", { params: size }, () => {
      throw new Error("must not be called");
    });
    const task = aTask({ params: { image: { width: "2" } } });
    const outcome = await runTask(definition, task, surroundings());
    expect(outcome).toMatchObject({ status: "failure", error: { code: "INVALID_INPUT_ERROR" } });
    expect(outcome?.error).toHaveProperty(
      "message",
      expect.stringMatching(/^params\.image\.width: .+; params\.image\.height: .+/),
    );
  });

  it.each([
    [null, {}],
    [undefined, {}],
    [{ a: 1 }, { a: 1 }],
  ])("without a schema are an object: %j", async (params, seen) => {
    const definition = defineTask("work", {}, ({ params: given }) => given);
    expect(await runTask(definition, aTask({ params }), surroundings())).toEqual(success(seen));
  });

  it("without a schema refuse what is no object", async () => {
    const definition = defineTask("work", {}, () => {});
    const outcome = await runTask(definition, aTask({ params: [1] }), surroundings());
    expect(outcome?.error).toMatchObject({ code: "INVALID_INPUT_ERROR" });
  });
});

describe("runTask", () => {
  it("hands the handler all there is to know of its task", async () => {
    const task = aTask({
      params: { a: 1 },
      attempt: 3,
      priority: 5,
      tracing_context: { traceparent: "00-a-b-01" },
      deadline: 1_800_000_000.5,
    });
    let seen: unknown;
    const around = surroundings();
    await runTask(
      defineTask("work", {}, (context) => {
        seen = context;
      }),
      task,
      around,
    );
    expect(seen).toEqual({
      params: { a: 1 },
      jobId: task.job_id,
      taskId: task.task_id,
      attempt: 3,
      priority: 5,
      tracingContext: { traceparent: "00-a-b-01" },
      deadline: new Date(1_800_000_000_500),
      workspace: expect.any(Function),
      ...around,
    });
  });

  it("refuses a task nobody handles", async () => {
    expect(await runTask(undefined, aTask({ type: "paint" }), surroundings())).toEqual({
      status: "failure",
      error: { code: "PERMANENT_ERROR", message: "Unsupported task: paint" },
    });
  });

  const shutdownFailure = {
    status: "failure",
    error: { code: "TRANSIENT_ERROR", message: "The worker stopped before the task was finished." },
  };
  it.each<[AbortCause, string, unknown]>([
    ["cancelled", "returns", { status: "cancelled" }],
    ["cancelled", "throws", { status: "cancelled" }],
    ["lease_lost", "returns", undefined],
    ["lease_lost", "throws", undefined],
    ["shutdown", "returns", { status: "success", data: { late: true } }],
    ["shutdown", "throws", shutdownFailure],
  ])("reports a task aborted as %s whose handler then %s", async (cause, then, outcome) => {
    const abort = new AbortController();
    const started = Promise.withResolvers<void>();
    const running = run(async ({ signal }) => {
      started.resolve();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      if (then === "throws") signal.throwIfAborted();
      return { late: true };
    }, abort.signal);
    await started.promise;
    abort.abort(new TaskAbortedError(cause));
    expect(await running).toEqual(outcome);
  });

  it("does not call the handler of a task that was aborted before", async () => {
    const abort = new AbortController();
    abort.abort(new TaskAbortedError("cancelled"));
    let called = false;
    const outcome = await run(() => {
      called = true;
    }, abort.signal);
    expect(called).toBe(false);
    expect(outcome).toEqual({ status: "cancelled" });
  });
});
