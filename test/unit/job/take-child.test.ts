import { describe, expect, test } from "vitest";
import type { ChildOutcome, SingleTask } from "../../../src/job/record.ts";
import { takeChildOutcome } from "../../../src/job/take-child.ts";
import {
  branchOf,
  fannedOutJob,
  flow,
  nestingJob,
  openOf,
  pausedJob,
  surroundings,
  T0,
  waitingJob,
} from "../../support/job-builders.ts";

const later = surroundings({ now: T0 + 5_000 });
const NONE = openOf();
const ENDS: readonly ChildOutcome[] = [
  { status: "finished", state: "done", result: { pages: 3 }, error: null },
  { status: "failed", state: "sorry", result: { half: 1 }, error: "no paper" },
  { status: "quarantined", state: "print", result: null, error: "no ink" },
  { status: "cancelled", state: "print", result: null, error: "The job was cancelled by bob." },
];
const WORDS = { finished: "success", failed: "failure", quarantined: "quarantined", cancelled: "cancelled" } as const;
const ALL = { success: "next", failure: "sorry", quarantined: "late", cancelled: "work" };

function take(outcome: ChildOutcome, task: Partial<SingleTask> = {}) {
  return takeChildOutcome(nestingJob(task), flow, NONE, "job-1", outcome, later);
}

describe.each(ENDS)("a child that is $status", (outcome) => {
  const { status, state, result, error } = outcome;
  const entry = {
    outcome: status === "finished" ? "success" : "failure",
    status,
    final_state: state,
    error_message: error,
    result,
  };
  const text = `Child job job-1 is ${status}: ${error}`;

  test("takes its parent on by the transition for just that word", () => {
    const change = take(outcome, { transitions: ALL });
    expect(change?.record).toMatchObject({ status: "running", state: ALL[WORDS[status]], task: null, checkAt: null });
    expect([change?.offers, change?.releases]).toEqual([[], []]);
  });

  test("takes it on as a failure, or as a success, where there is none", () => {
    const change = take(outcome, { transitions: { success: "next", failure: "sorry" } });
    expect(change?.record.state).toBe(status === "finished" ? "next" : "sorry");
  });

  test("ends it as failed where nothing leads on", () => {
    const change = take(outcome, { transitions: {} });
    expect(change?.record).toMatchObject({
      status: "failed",
      error: status === "finished" ? "Child job job-1 finished, but 'success' has no transition." : text,
    });
  });

  test("leaves its outcome in state_history, whatever follows", () => {
    for (const transitions of [ALL, {}]) {
      expect(take(outcome, { transitions })?.record.stateHistory["sub_job_job-1_result"]).toEqual(entry);
    }
    const named = take(outcome, { transitions: ALL, into: "report" })?.record.stateHistory;
    expect(named).toMatchObject({ report: entry });
    expect(named).not.toHaveProperty("sub_job_job-1_result");
  });

  test("is in history once, with how long it took", () => {
    const events = take(outcome, { transitions: ALL })?.record.unsent ?? [];
    const told = events.filter((event) => event.event_type === "sub_blueprint_finished");
    expect(told).toMatchObject([{ task_id: "job-1", duration_ms: 5_000 }]);
    expect(told[0]?.error).toBe(status === "finished" ? undefined : text);
  });

  test("is one result of a fan-out of children", () => {
    const open = openOf(branchOf(1, { child: "report" }), branchOf(2, { child: "report" }));
    const change = takeChildOutcome(fannedOutJob(2), flow, open, "job-1", outcome, later);
    expect(change).toMatchObject({ writeRecord: false, record: { status: "waiting_for_parallel_tasks" } });
    expect(change?.branches).toHaveLength(1);
    expect(change?.branches[0]?.outcome).toMatchObject({
      status: status === "quarantined" ? "failure" : WORDS[status],
      data: result,
      error: status === "finished" ? null : { code: `CHILD_${status.toUpperCase()}`, message: text },
      workerId: null,
      endedAt: T0 + 5_000,
    });
  });

  test("moves a paused parent on, which runs nothing yet", () => {
    const paused = pausedJob(T0 + 1, nestingJob({ transitions: ALL }));
    const change = takeChildOutcome(paused, flow, NONE, "job-1", outcome, later);
    expect(change?.record).toMatchObject({ state: ALL[WORDS[status]], pause: { by: "ann" } });
  });
});

test("a child's error may be unknown", () => {
  const outcome = { status: "failed", state: "", result: null, error: null } as const;
  expect(take(outcome, { transitions: {} })?.record.error).toBe("Child job job-1 is failed");
});

describe("the end of a child", () => {
  const [finished = ENDS[0]] = ENDS;
  if (finished === undefined) throw new Error("There are ends.");

  test.each([
    ["of another job", nestingJob(), "job-2"],
    ["that the job has not waited for since", waitingJob({}, { task: null }), "job-1"],
    ["of an ended job", nestingJob({}, { status: "cancelled" }), "job-1"],
    ["of what is no child but a worker's task", waitingJob(), "job-1"],
    ["of a child that is still to begin", nestingJob({ retryAt: T0 + 9_000 }), "job-1"],
  ])("is no news when it is that %s", (_, job, childId) => {
    expect(takeChildOutcome(job, flow, NONE, childId, finished, later)).toBeNull();
  });

  test("is no news a second time", () => {
    const open = openOf(branchOf(1, { child: "report" }), branchOf(2, { child: "report" }));
    const [ended] = takeChildOutcome(fannedOutJob(2), flow, open, "job-1", finished, later)?.branches ?? [];
    const left = openOf(...(ended === undefined ? [] : [ended]), branchOf(2, { child: "report" }));
    expect(takeChildOutcome(fannedOutJob(2), flow, left, "job-1", finished, later)).toBeNull();
  });

  test("is that of the fan-out when it is the last", () => {
    const change = takeChildOutcome(
      fannedOutJob(2),
      flow,
      openOf(branchOf(2, { child: "r" })),
      "job-2",
      finished,
      later,
    );
    expect(change?.record).toMatchObject({ status: "running", state: "join" });
  });

  test("whose outcome is too large for state_history counts as a failure", () => {
    const large = { ...finished, result: "x".repeat(300_000) };
    const change = take(large, { transitions: { success: "next", failure: "late" } });
    expect(change?.record).toMatchObject({
      state: "late",
      error: expect.stringMatching(/^PERMANENT_ERROR: state_history would grow to 300\d{3} bytes/),
    });
    expect(change?.record.stateHistory).not.toHaveProperty("sub_job_job-1_result");
  });
});
