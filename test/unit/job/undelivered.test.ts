import { describe, expect, test } from "vitest";
import { failureOf } from "../../../src/job/failure.ts";
import { failUndelivered } from "../../../src/job/undelivered.ts";
import { MAX_ERROR_CHARS } from "../../../src/limits.ts";
import { FIRST_SHARD } from "../../../src/registry/shard-plan.ts";
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
const WHY = "Shard 'shard-0' did not answer, in 12 tries. The last error: gone";
const offered = (taskId: string, attempt = 1) => ({ taskId, attempt, shard: FIRST_SHARD });
const failure = { code: "DISPATCH_ERROR", message: WHY };

describe("a single task that could not be dispatched", () => {
  test("brings its job to quarantine with the reason, and is called back should it have arrived after all", () => {
    const change = failUndelivered(waitingJob(), NONE, offered("job-1"), WHY, later);
    expect(change?.record).toMatchObject({
      status: "quarantined",
      task: null,
      error: `Task could not be dispatched. ${WHY}`,
      finishedAt: T0 + 5_000,
    });
    expect(change?.record.unsent).toMatchObject([
      { event_type: "task_finished", task_id: "job-1", attempt_number: 1, error: `DISPATCH_ERROR: ${WHY}` },
      { event_type: "job_quarantined", status: "quarantined" },
    ]);
    expect(change?.releases).toMatchObject([{ id: "job-1", attempt: 1 }]);
    expect(change?.offers).toEqual([]);
  });

  test("is not retried, and not for the blueprint's failure transition: it never failed", () => {
    const job = waitingJob({ transitions: { success: "next", failure: "sorry" } });
    expect(failUndelivered(job, NONE, offered("job-1"), WHY, later)?.record).toMatchObject({
      status: "quarantined",
      state: "work",
    });
  });

  test("ends a job that is being cancelled as cancelled", () => {
    expect(failUndelivered(cancellingJob(), NONE, offered("job-1"), WHY, later)?.record).toMatchObject({
      status: "cancelled",
      error: "The job was cancelled by ann.",
    });
  });

  test.each([
    ["of another task", waitingJob(), "job-2", 1],
    ["of an older attempt", waitingJob({ attempt: 2 }), "job-1", 1],
    ["that a worker took along to another shard", waitingJob({ shard: "weur-0" }), "job-1", 1],
    ["of a job that waits for nothing", waitingJob({}, { task: null }), "job-1", 1],
    ["that has failed meanwhile and waits out its backoff", waitingJob({ retryAt: T0 + 9_000 }), "job-1", 1],
  ])("is no news when it is one %s", (_, job, taskId, attempt) => {
    expect(failUndelivered(job, NONE, offered(taskId, attempt), WHY, later)).toBeNull();
  });

  test("may have a long reason, of which the beginning is kept", () => {
    const error = failUndelivered(waitingJob(), NONE, offered("job-1"), "x".repeat(9_000), later)?.record.error ?? "";
    expect(error.length).toBeLessThan(MAX_ERROR_CHARS + 100);
  });
});

describe("a branch that could not be dispatched", () => {
  test("has failed for good; the others go on", () => {
    const change = failUndelivered(fannedOutJob(2), openOf(branchOf(1), branchOf(2)), offered("job-2"), WHY, later);
    expect(change).toMatchObject({ writeRecord: true, record: { status: "waiting_for_parallel_tasks" } });
    expect(change?.branches).toMatchObject([{ number: 2, outcome: { status: "failure", error: failure } }]);
    expect(change?.releases).toMatchObject([{ id: "job-2" }]);
  });

  test("that is the last one lets the aggregator run", () => {
    const open = openOf(branchOf(1, { outcome: outcomeOf() }), branchOf(2));
    const change = failUndelivered(fannedOutJob(2), open, offered("job-2"), WHY, later);
    expect(change?.record).toMatchObject({ status: "running", state: "join" });
  });

  test("ends a fan-out that fails fast", () => {
    const job = fannedOutJob(3);
    const fast = { ...job, fanOut: job.fanOut === null ? null : { ...job.fanOut, failFast: true } };
    const change = failUndelivered(fast, openOf(branchOf(1), branchOf(2), branchOf(3)), offered("job-2"), WHY, later);
    expect(change?.record.state).toBe("join");
    expect(change?.branches.map(({ outcome }) => outcome?.status)).toEqual(["failure", "cancelled", "cancelled"]);
    expect(change?.releases.map(({ id }) => id).toSorted()).toEqual(["job-1", "job-2", "job-3"]);
  });

  test("that has ended already changes nothing", () => {
    const open = openOf(branchOf(1), branchOf(2, { outcome: outcomeOf() }));
    expect(failUndelivered(fannedOutJob(2), open, offered("job-2"), WHY, later)).toBeNull();
  });
});

test("a worker that says DISPATCH_ERROR itself means something that may pass", () => {
  expect(failureOf({ status: "failure", error: { code: "DISPATCH_ERROR", message: "no" } }).code).toBe(
    "TRANSIENT_ERROR",
  );
});
