import { describe, expect, test } from "vitest";
import { loseTask, type LossReason } from "../../../src/job/lose-task.ts";
import { MAX_LEASE_LOSSES } from "../../../src/limits.ts";
import {
  branchOf,
  cancellingJob,
  fannedOutJob,
  openOf,
  outcomeOf,
  surroundings,
  T0,
  waitingJob,
} from "../../support/job-builders.ts";

const later = surroundings({ now: T0 + 5_000 });
const NONE = openOf();
const REASONS: readonly [LossReason, string, number][] = [
  ["worker_gone", "The worker is gone.", 1],
  ["unknown", "The registry no longer knows the task.", 1],
  ["returned", "The worker's poll had ended before the task reached it.", 0],
];

describe("a single task whose attempt is lost", () => {
  test.each(REASONS)("by %s is offered anew at once, with a lease of its own", (reason, error, losses) => {
    const change = loseTask(waitingJob({ failures: 2 }), NONE, "job-1", 1, reason, later);
    expect(change?.record).toMatchObject({ status: "waiting_for_worker", error: null });
    expect(change?.record.task).toMatchObject({
      id: "job-1",
      attempt: 2,
      failures: 2,
      losses,
      dispatchedAt: T0 + 5_000,
      retryAt: null,
    });
    expect(change?.record.task?.lease).not.toBe("held");
    expect(change?.offers).toEqual([change?.record.task]);
    expect(change?.record.unsent).toMatchObject([
      { seq: 11, event_type: "task_lost", task_id: "job-1", attempt_number: 1, error },
    ]);
  });

  test("is given up once it has lost its worker too often: it may be what stops them", () => {
    const kept = loseTask(waitingJob({ losses: MAX_LEASE_LOSSES - 1 }), NONE, "job-1", 1, "worker_gone", later);
    expect(kept?.record.task?.losses).toBe(MAX_LEASE_LOSSES);
    const change = loseTask(waitingJob({ losses: MAX_LEASE_LOSSES }), NONE, "job-1", 1, "worker_gone", later);
    expect(change?.offers).toEqual([]);
    expect(change?.record).toMatchObject({
      status: "quarantined",
      error: "Task failed with permanent error: Task lost its worker 6 times; it may be what stops them.",
    });
    expect(change?.record.unsent.map((event) => event.event_type)).toEqual([
      "task_lost",
      "task_finished",
      "job_quarantined",
    ]);
  });

  test("is never given up for a hand-over that did not happen", () => {
    const change = loseTask(waitingJob({ losses: MAX_LEASE_LOSSES }), NONE, "job-1", 1, "returned", later);
    expect(change?.record).toMatchObject({
      status: "waiting_for_worker",
      task: { attempt: 2, losses: MAX_LEASE_LOSSES },
    });
  });

  test.each([
    ["of another task", waitingJob(), "job-2", 1],
    ["of an older attempt", waitingJob({ attempt: 2 }), "job-1", 1],
    ["of a job that waits for nothing", waitingJob({}, { task: null }), "job-1", 1],
    ["that has failed meanwhile and waits out its backoff", waitingJob({ retryAt: T0 + 9_000 }), "job-1", 1],
  ])("is no news when it is one %s", (_, job, taskId, attempt) => {
    expect(loseTask(job, NONE, taskId, attempt, "worker_gone", later)).toBeNull();
  });
});

describe("a branch whose attempt is lost", () => {
  test.each(REASONS)("by %s is offered anew at once, with a lease of its own", (reason, error, losses) => {
    const change = loseTask(fannedOutJob(2), openOf(branchOf(1), branchOf(2)), "job-2", 1, reason, later);
    expect(change).toMatchObject({ writeRecord: true, record: { status: "waiting_for_parallel_tasks" } });
    expect(change?.branches).toMatchObject([
      { number: 2, attempt: 2, losses, dispatchedAt: T0 + 5_000, retryAt: null, outcome: null },
    ]);
    expect(change?.branches[0]?.lease).not.toBe("held-2");
    expect(change?.offers).toEqual(change?.branches);
    expect(change?.record.unsent).toMatchObject([{ event_type: "task_lost", task_id: "job-2", error }]);
  });

  test("is one more failure for the aggregator once it has lost its worker too often", () => {
    const change = loseTask(
      fannedOutJob(2),
      openOf(branchOf(1), branchOf(2, { losses: MAX_LEASE_LOSSES })),
      "job-2",
      1,
      "unknown",
      later,
    );
    expect(change).toMatchObject({
      writeRecord: true,
      offers: [],
      record: { status: "waiting_for_parallel_tasks", eventSeq: 12 },
    });
    expect(change?.branches[0]?.outcome).toMatchObject({
      status: "failure",
      error: { code: "PERMANENT_ERROR" },
      eventSeq: 12,
    });
  });

  test("of a job that is being cancelled has one end in its history, not two", () => {
    const job = { ...fannedOutJob(2), cancellation: cancellingJob({}).cancellation };
    const change = loseTask(job, openOf(branchOf(1), branchOf(2)), "job-2", 1, "worker_gone", later);
    // The end of a branch is told from its outcome; of the loss there is no event besides.
    expect(change).toMatchObject({
      offers: [],
      branches: [{ outcome: { error: { code: "CANCELLED" }, eventSeq: 11 } }],
    });
    expect(change?.record).toMatchObject({ unsent: [], eventSeq: 11 });
  });

  test("is the end of the fan-out when it is the last and given up", () => {
    const change = loseTask(
      fannedOutJob(2),
      openOf(branchOf(2, { losses: MAX_LEASE_LOSSES })),
      "job-2",
      1,
      "unknown",
      later,
    );
    expect(change?.record).toMatchObject({ status: "running", state: "join", eventSeq: 13 });
  });

  test("is never given up for a hand-over that did not happen", () => {
    const change = loseTask(
      fannedOutJob(2),
      openOf(branchOf(1), branchOf(2, { losses: MAX_LEASE_LOSSES })),
      "job-2",
      1,
      "returned",
      later,
    );
    expect(change?.branches[0]).toMatchObject({ outcome: null, losses: MAX_LEASE_LOSSES, attempt: 2 });
  });

  test.each([
    ["has ended", branchOf(1, { outcome: outcomeOf() })],
    ["is at a later attempt", branchOf(1, { attempt: 2 })],
    ["waits out its backoff", branchOf(1, { retryAt: T0 + 9_000 })],
    ["is held back until a place is free", branchOf(1, { queued: true })],
  ])("is no news when the branch %s", (_, branch) => {
    expect(loseTask(fannedOutJob(2), openOf(branch, branchOf(2)), "job-1", 1, "worker_gone", later)).toBeNull();
  });
});
