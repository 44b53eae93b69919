import type { TaskOutcome } from "@batuta/worker/protocol";
import { describe, expect, test } from "vitest";
import { failureOf } from "../../../src/job/failure.ts";
import type { JobRecord } from "../../../src/job/record.ts";
import { jsonBytes } from "../../../src/job/state-history.ts";
import { failSingle, takeSingleResult } from "../../../src/job/take-result.ts";
import { MAX_STATE_HISTORY_BYTES } from "../../../src/limits.ts";
import { flow, resultOf, singleTask, surroundings, T0, waitingJob } from "../../support/job-builders.ts";

const later = surroundings({ now: T0 + 5_000 });

function take(job: JobRecord, outcome: Partial<TaskOutcome>) {
  const taken = takeSingleResult(job, flow, resultOf(outcome), later);
  return { ack: taken.ack.status, job: taken.change?.record ?? null, offers: taken.change?.offers ?? [] };
}

describe("a failure that may pass", () => {
  test.each([
    ["its code", { code: "TRANSIENT_ERROR", message: "busy" }, "busy"],
    ["an unknown code", { code: "OUT_OF_INK", message: "refill" }, "refill"],
    [
      "the word for what only the orchestrator decides",
      { code: "TIMEOUT_ERROR", message: "my own limit" },
      "my own limit",
    ],
    ["a code that every object has", { code: "constructor", message: "odd" }, "odd"],
    ["no code", { message: "odd" }, "odd"],
    ["no message", { code: "TRANSIENT_ERROR" }, "No error message provided."],
    ["a bare text", "it broke", "it broke"],
    ["null", null, "No error details provided."],
    ["nothing", undefined, "No error details provided."],
  ])("by %s is retried, then quarantined", (_, error, message) => {
    const outcome = { status: "failure", error };
    const first = take(waitingJob(), outcome);
    expect(first.ack).toBe("result_accepted_failure");
    expect(first.job).toMatchObject({ status: "waiting_for_worker", error: message, state: "work" });
    const last = take(waitingJob({ failures: 3, attempt: 4 }), outcome);
    expect(last.ack).toBe("result_accepted_failure");
    expect(last.job).toMatchObject({
      status: "quarantined",
      error: `Task failed after 4 attempts: ${message}`,
      task: null,
    });
  });

  test("makes a new attempt with a lease of its own after a backoff, and offers nothing yet", () => {
    const { job, offers } = take(waitingJob({ failures: 1, attempt: 4, losses: 2 }), {
      status: "failure",
      error: "busy",
    });
    expect(job?.task).toMatchObject({
      id: "job-1",
      failures: 2,
      attempt: 5,
      losses: 2,
      dispatchedAt: T0 + 6_000,
      retryAt: T0 + 6_000,
    });
    expect(job?.task?.lease).not.toBe("held");
    expect(offers).toEqual([]);
  });

  test("is final at once when the deployment allows no retries", () => {
    const around = surroundings({ settings: { maxRetries: 0 } });
    const { change } = takeSingleResult(waitingJob(), flow, resultOf({ status: "failure", error: "busy" }), around);
    expect(change?.record).toMatchObject({ status: "quarantined", error: "Task failed after 1 attempts: busy" });
  });
});

describe("a failure transition", () => {
  test.each(["PERMANENT_ERROR", "INVALID_INPUT_ERROR"])(
    "takes a job with %s on instead of ending it, with the reason",
    (code) => {
      const job = waitingJob({ transitions: { success: "next", failure: "late" } }, { stateHistory: { kept: 1 } });
      const { job: moved } = take(job, { status: "failure", error: { code, message: "m" } });
      expect(moved).toMatchObject({
        status: "running",
        state: "late",
        error: `${code}: m`,
        stateHistory: { kept: 1, task_error: { type: "resize", code, message: "m" } },
      });
    },
  );

  test("is taken for a failure that may pass only when the retries are used up", () => {
    const transitions = { success: "next", failure: "late" };
    const error = "busy";
    expect(take(waitingJob({ transitions, failures: 2 }), { status: "failure", error }).job?.state).toBe("work");
    expect(take(waitingJob({ transitions, failures: 3 }), { status: "failure", error }).job?.state).toBe("late");
  });
});

describe("the word of a worker that its task is over its deadline", () => {
  const saying = (deadline: unknown) => ({
    status: "failure",
    error: { code: "TIMEOUT_ERROR", message: "Not finished by its deadline.", deadline },
  });

  test.each([
    ["that is past", later.now / 1000 - 1],
    ["that is past by its clock, which is a little ahead of ours", later.now / 1000 + 3],
  ])("fails the job without another attempt for one %s", (_, deadline) => {
    const { ack, job } = take(waitingJob(), saying(deadline));
    expect(ack).toBe("result_accepted_failure");
    expect(job).toMatchObject({ status: "failed", error: "Not finished by its deadline." });
    const transitions = { success: "next", timeout: "late" };
    expect(take(waitingJob({ transitions }), saying(deadline)).job).toMatchObject({ state: "late" });
  });

  test.each([
    ["that is to come", later.now / 1000 + 4],
    ["that is no time", "soon"],
  ])("is a failure that may pass for one %s", (_, deadline) => {
    expect(take(waitingJob(), saying(deadline)).job).toMatchObject({ status: "waiting_for_worker" });
  });
});

describe("a timeout", () => {
  const failure = { code: "TIMEOUT_ERROR", message: "Worker task timed out." };
  const end = (transitions: Record<string, string>) => {
    const task = singleTask({ transitions });
    return failSingle(waitingJob({ transitions }), task, failure, null, later).record;
  };

  test("fails the job without another attempt", () => {
    expect(end({ success: "next" })).toMatchObject({ status: "failed", error: "Worker task timed out.", task: null });
  });

  test("takes the timeout transition, else the failure transition", () => {
    expect(end({ timeout: "late", failure: "sorry" })).toMatchObject({ status: "running", state: "late" });
    expect(end({ failure: "sorry" })).toMatchObject({
      status: "running",
      state: "sorry",
      error: "TIMEOUT_ERROR: Worker task timed out.",
    });
  });

  test("names no worker in history", () => {
    expect(end({}).unsent[0]).not.toHaveProperty("worker_id");
  });
});

// A body may hold 1 MiB of error text, and a record that is too large cannot be written.
test("an error's text takes no more of the record than state_history may", () => {
  const error = { code: "PERMANENT_ERROR", message: "x".repeat(1_000_000) };
  const { job } = take(waitingJob({ transitions: { failure: "late" } }), { status: "failure", error });
  expect(jsonBytes(job?.stateHistory)).toBeLessThanOrEqual(MAX_STATE_HISTORY_BYTES);
});

test("an error that is an object keeps its code and message", () => {
  expect(failureOf({ status: "failure", error: { code: "X", message: "m" } })).toEqual({ code: "X", message: "m" });
});
