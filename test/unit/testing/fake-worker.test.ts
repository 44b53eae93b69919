import { failure, InvalidInputError, PermanentError, success, TransientError } from "@batuta/worker";
import { describe, expect, test } from "vitest";
import { outcomeOfError, readReturnValue } from "../../../worker-sdk/src/tasks/outcome.ts";
import { ask, type FakeTask } from "../../../src/testing/fake-worker.ts";

const TASK: FakeTask = {
  jobId: "job",
  taskId: "job-1",
  attempt: 1,
  signal: new AbortController().signal,
  sendProgress: () => undefined,
  sendEvent: () => undefined,
};
const cyclic: unknown[] = [];
cyclic.push(cyclic);

describe("what a worker's own function returns means the same when it is the fake", () => {
  test.each([
    [undefined],
    [null],
    ["a text"],
    [0],
    [[1, 2]],
    [{ brought: true }],
    [{ status: "open", since: 7 }],
    [{ status: "review" }],
    [{ status: "review", data: { torn: true } }],
    [{ status: 7 }],
    [success({ status: "open" })],
    [success(null, "review")],
    [failure("torn")],
    [failure({ code: "PERMANENT_ERROR", message: "torn", page: 3 })],
    [{ status: "failure", error: { code: "OUT_OF_INK" } }],
  ])("%j", async (returned) => {
    expect(await ask(() => returned, {}, TASK)).toEqual({ does: "reports", outcome: readReturnValue(returned) });
  });
});

test.each([
  new Error("busy"),
  new TransientError("busy"),
  new PermanentError("torn"),
  new InvalidInputError("no such thing"),
  "a text",
])("what it throws means the same: %s", async (thrown) => {
  const deed = await ask(
    () => {
      throw thrown;
    },
    {},
    TASK,
  );
  expect(deed).toEqual({ does: "reports", outcome: outcomeOfError(thrown) });
});

test("what cannot be sent is a failure that does not pass", async () => {
  expect(() => readReturnValue(cyclic)).toThrow(PermanentError);
  expect(await ask(() => cyclic, {}, TASK)).toMatchObject({
    outcome: {
      status: "failure",
      error: { code: "PERMANENT_ERROR", message: expect.stringContaining("cannot be sent") },
    },
  });
});

test("a task that is not wanted any more is not begun, and answered as cancelled", async () => {
  const signal = AbortSignal.abort(new Error("not wanted"));
  let begun = false;
  const deed = await ask(() => (begun = true), {}, { ...TASK, signal });
  expect(begun).toBe(false);
  expect(deed).toEqual({ does: "reports", outcome: { status: "cancelled" } });
});
