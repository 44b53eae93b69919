import { describe, expect, test } from "vitest";
import { failBranch, takeBranchResult } from "../../../src/job/take-branch.ts";
import { branchOf, fannedOutJob, openOf, outcomeOf, resultOf, surroundings, T0 } from "../../support/job-builders.ts";

const later = surroundings({ now: T0 + 5_000 });
const TWO = openOf(branchOf(1), branchOf(2));
const busy = { status: "failure", error: "busy" };

describe("the result of a branch", () => {
  test("that is not the last rewrites the branch's row only", () => {
    const job = fannedOutJob(3);
    const { ack, change } = takeBranchResult(
      job,
      openOf(branchOf(1), branchOf(2), branchOf(3)),
      resultOf({ data: { size: 1 } }),
      later,
    );
    expect(ack).toEqual({ status: "parallel_branch_result_accepted" });
    expect(change).toMatchObject({
      writeRecord: false,
      offers: [],
      record: { status: "waiting_for_parallel_tasks", eventSeq: 11 },
    });
    expect(change?.branches).toEqual([
      branchOf(1, { outcome: outcomeOf({ data: { size: 1 }, endedAt: T0 + 5_000, eventSeq: 11 }) }),
    ]);
  });

  test("that is the last moves the job on to the aggregator, with the fan-out still at hand", () => {
    const { change } = takeBranchResult(fannedOutJob(3), openOf(branchOf(2)), resultOf({}, { taskId: "job-2" }), later);
    expect(change).toMatchObject({ writeRecord: true, offers: [] });
    expect(change?.record).toMatchObject({
      status: "running",
      state: "join",
      fanOut: { first: 1, total: 3 },
      wakeAt: T0 + 5_000,
    });
    expect(change?.branches[0]?.outcome?.eventSeq).toBe(11);
    expect(change?.record.unsent.map(({ seq, event_type }) => [seq, event_type])).toEqual([[12, "state_finished"]]);
  });

  test("keeps any status word and data of any kind for the aggregator", () => {
    for (const [status, data] of [
      ["cancelled", 3],
      ["needs_review", "text"],
      ["success", [1]],
    ] as const) {
      const { change } = takeBranchResult(fannedOutJob(2), TWO, resultOf({ status, data }), later);
      expect(change?.branches[0]?.outcome).toMatchObject({ status, data, error: null, workerId: "w" });
    }
  });

  test("without data has null for it", () => {
    expect(takeBranchResult(fannedOutJob(2), TWO, resultOf({}), later).change?.branches[0]?.outcome?.data).toBeNull();
  });

  test("that is too large to keep counts as a permanent failure of the branch", () => {
    const { ack, change } = takeBranchResult(fannedOutJob(2), TWO, resultOf({ data: "x".repeat(262_143) }), later);
    expect(ack).toEqual({ status: "parallel_branch_result_accepted" });
    expect(change?.branches[0]?.outcome).toMatchObject({
      status: "failure",
      data: null,
      error: { code: "PERMANENT_ERROR", message: expect.stringContaining("262145 bytes; 262144 are allowed") },
    });
  });
});

describe("the failure of a branch", () => {
  test("that may pass is retried on the branch's own counter, after a backoff", () => {
    const { ack, change } = takeBranchResult(
      fannedOutJob(2),
      openOf(branchOf(1, { failures: 2, attempt: 3 }), branchOf(2)),
      resultOf(busy),
      later,
    );
    expect(ack.status).toBe("parallel_branch_result_accepted");
    expect(change).toMatchObject({
      writeRecord: true,
      offers: [],
      record: { status: "waiting_for_parallel_tasks", error: null },
    });
    expect(change?.branches[0]).toMatchObject({
      failures: 3,
      attempt: 4,
      dispatchedAt: T0 + 7_000,
      retryAt: T0 + 7_000,
      outcome: null,
    });
    expect(change?.branches[0]?.lease).not.toBe("held-1");
    expect(change?.record.unsent).toMatchObject([
      { seq: 11, event_type: "task_finished", error: "TRANSIENT_ERROR: busy" },
    ]);
  });

  test("whose retries are used up is one more result", () => {
    const { change } = takeBranchResult(
      fannedOutJob(2),
      openOf(branchOf(1, { failures: 3, attempt: 4 }), branchOf(2)),
      resultOf(busy),
      later,
    );
    expect(change?.branches[0]).toMatchObject({
      failures: 3,
      retryAt: null,
      outcome: { status: "failure", data: null, error: { code: "TRANSIENT_ERROR", message: "busy" }, workerId: "w" },
    });
  });

  test.each(["PERMANENT_ERROR", "INVALID_INPUT_ERROR"])(
    "with %s is one more result at once, and ends no job",
    (code) => {
      const outcome = { status: "failure", error: { code, message: "m" } };
      const { change } = takeBranchResult(fannedOutJob(1), openOf(branchOf(1)), resultOf(outcome), later);
      expect(change?.record).toMatchObject({ status: "running", state: "join" });
      expect(change?.branches[0]?.outcome).toMatchObject({ status: "failure", error: { code, message: "m" } });
    },
  );

  test("by a timeout is final, and no worker's", () => {
    const failure = { code: "TIMEOUT_ERROR", message: "Worker task timed out." };
    const change = failBranch(fannedOutJob(2), branchOf(1), TWO, failure, null, later);
    expect(change.branches[0]?.outcome).toMatchObject({ status: "failure", error: failure, workerId: null });
  });
});

describe("a result that changes nothing", () => {
  const stale = {
    status: "ignored",
    reason: "stale_task",
    message: "The job no longer waits for this attempt of the task.",
  };

  test.each([
    ["of a task that is no branch", branchOf(2), {}],
    ["of a branch that has ended", branchOf(1, { outcome: outcomeOf() }), {}],
    ["of an older attempt", branchOf(1, { attempt: 2 }), { attempt: 1 }],
    ["with another lease", branchOf(1), { lease: "stolen" }],
    ["while the next attempt waits out its backoff", branchOf(1, { retryAt: T0 + 9_000 }), {}],
    ["of a branch that is held back", branchOf(1, { queued: true }), {}],
    ["of a worker for what a child job does", branchOf(1, { child: "report" }), {}],
  ])("is one %s", (_, branch, over) => {
    expect(takeBranchResult(fannedOutJob(2), openOf(branch), resultOf({}, over), later)).toEqual({
      ack: stale,
      change: null,
    });
  });

  test("is one that comes after the job has ended", () => {
    const { ack } = takeBranchResult(fannedOutJob(2, { status: "cancelled" }), TWO, resultOf({}), later);
    expect(ack).toEqual({ status: "ignored", reason: "job_already_terminated", message: "The job is cancelled." });
  });
});
