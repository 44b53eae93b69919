import { resultAck, type TaskOutcome } from "@batuta/worker/protocol";
import { describe, expect, test } from "vitest";
import type { JobRecord } from "../../../src/job/record.ts";
import { takeSingleResult } from "../../../src/job/take-result.ts";
import { flow, resultOf, surroundings, T0, waitingJob } from "../../support/job-builders.ts";

const later = surroundings({ now: T0 + 5_000 });

function take(job: JobRecord, outcome: Partial<TaskOutcome>) {
  const taken = takeSingleResult(job, flow, resultOf(outcome), later);
  expect(resultAck.safeParse(taken.ack).success).toBe(true);
  return { ack: taken.ack.status, job: taken.change?.record ?? null, offers: taken.change?.offers ?? [] };
}

describe("a result that ends the job's task", () => {
  const PERMANENT = { code: "PERMANENT_ERROR", message: "no such file" };
  const INVALID = { code: "INVALID_INPUT_ERROR", message: "width is negative" };
  const QUARANTINED = ["SECURITY_ERROR", "DEPENDENCY_ERROR", "CONTRACT_VIOLATION_ERROR"];
  const MISMATCH = { code: "INTEGRITY_MISMATCH_ERROR", message: "wrong sum" };

  type Row = [outcome: Partial<TaskOutcome>, ack: string, status: string, error: string];

  test.each<Row>([
    [
      { status: "failure", error: PERMANENT },
      "failure",
      "quarantined",
      "Task failed with permanent error: no such file",
    ],
    [{ status: "failure", error: INVALID }, "failure", "failed", "Task failed due to invalid input: width is negative"],
    ...QUARANTINED.map((code): Row => [
      { status: "failure", error: { code, message: "no" } },
      "failure",
      "quarantined",
      `Task failed with permanent error (${code}): no`,
    ]),
    [
      { status: "failure", error: MISMATCH },
      "failure",
      "failed",
      "Task failed due to data integrity mismatch: wrong sum",
    ],
    [{ status: "cancelled" }, "cancelled", "cancelled", "The worker cancelled the task."],
    [{ status: "perhaps" }, "success", "failed", "Worker returned unhandled status: perhaps"],
  ])("%j is acknowledged as %s and makes the job %s: %s", (outcome, ack, status, error) => {
    const { ack: said, job } = take(waitingJob(), outcome);
    expect(said).toBe(`result_accepted_${ack}`);
    expect(job).toMatchObject({
      status,
      error,
      state: "work",
      task: null,
      wakeAt: null,
      checkAt: null,
      finishedAt: T0 + 5_000,
    });
  });

  test("a success without a transition for it is an unhandled status too", () => {
    expect(take(waitingJob({ transitions: { failure: "sorry" } }), {}).job?.error).toBe(
      "Worker returned unhandled status: success",
    );
  });

  test.each(["constructor", "toString", "__proto__", "valueOf"])(
    "the word '%s' is a status like any other",
    (status) => {
      expect(take(waitingJob(), { status }).job).toMatchObject({
        status: "failed",
        error: `Worker returned unhandled status: ${status}`,
      });
    },
  );
});

describe("a result with a transition", () => {
  test.each([
    ["success", "success"],
    ["cancelled", "cancelled"],
    ["needs_review", "success"],
  ])("'%s' is acknowledged as %s, merges its data and moves the job on", (status, ack) => {
    const job = waitingJob({ transitions: { [status]: "next" } }, { stateHistory: { kept: 1, replaced: 1 } });
    const { ack: said, job: moved, offers } = take(job, { status, data: { replaced: 2, added: 3 } });
    expect(said).toBe(`result_accepted_${ack}`);
    expect(moved).toMatchObject({
      status: "running",
      state: "next",
      stateHistory: { kept: 1, replaced: 2, added: 3 },
      task: null,
      error: null,
      wakeAt: T0 + 5_000,
      checkAt: null,
    });
    expect(offers).toEqual([]);
  });

  test("tells history of the attempt's end and of the move, in that order", () => {
    const { job } = take(waitingJob({ attempt: 2, lease: "held" }), {});
    expect(job?.unsent).toMatchObject([
      {
        seq: 11,
        event_type: "task_finished",
        task_id: "job-1",
        attempt_number: 2,
        worker_id: "w",
        duration_ms: 5_000,
        state: "work",
      },
      { seq: 12, event_type: "state_finished", previous_state: "work", next_state: "next", duration_ms: 5_000 },
    ]);
  });

  test("starts the count of transitions without a wait anew", () => {
    expect(take(waitingJob({}, { transitions: 0 }), {}).job?.transitions).toBe(1);
  });

  test("drops data that is not an object", () => {
    for (const data of ["text", 3, [1, 2], null, undefined]) {
      expect(take(waitingJob({}, { stateHistory: { kept: 1 } }), { data }).job?.stateHistory).toEqual({ kept: 1 });
    }
  });

  test("counts as a permanent failure when its data does not fit the job", () => {
    const { ack, job } = take(waitingJob(), { data: { much: "x".repeat(300_000) } });
    expect(ack).toBe("result_accepted_failure");
    expect(job?.status).toBe("quarantined");
    expect(job?.error).toMatch(
      /^Task failed with permanent error: state_history would grow to 300\d{3} bytes in state 'work'; 262144 are allowed\./,
    );
    expect(job?.unsent.map((event) => event.event_type)).toEqual(["task_finished", "job_quarantined"]);
  });
});

describe("a result that does not count", () => {
  test.each([
    ["finished", "The job is finished."],
    ["failed", "The job is failed."],
    ["quarantined", "The job is quarantined."],
    ["cancelled", "The job is cancelled."],
  ] as const)("comes after the job is %s", (status, message) => {
    const taken = takeSingleResult(waitingJob({}, { status, task: null }), flow, resultOf({}), later);
    expect(taken).toEqual({ ack: { status: "ignored", reason: "job_already_terminated", message }, change: null });
  });

  test.each([
    ["of another task", {}, { taskId: "job-2" }],
    ["of an older attempt", { attempt: 2 }, { attempt: 1 }],
    ["of an attempt that never was", { attempt: 2 }, { attempt: 3 }],
    ["with another lease", {}, { lease: "stolen" }],
    ["while the next attempt waits out its backoff", { retryAt: T0 + 9_000 }, { attempt: 1, lease: "held" }],
    ["of a worker for what a child job does", { child: "report" }, {}],
  ])("is one %s", (_, task, over) => {
    const taken = takeSingleResult(waitingJob(task), flow, resultOf({}, over), later);
    expect(taken).toEqual({
      ack: {
        status: "ignored",
        reason: "stale_task",
        message: "The job no longer waits for this attempt of the task.",
      },
      change: null,
    });
  });

  test("does not include that of a worker that knows neither attempt nor lease", () => {
    expect(takeSingleResult(waitingJob({ attempt: 7 }), flow, resultOf({}), later).ack.status).toBe(
      "result_accepted_success",
    );
  });
});
