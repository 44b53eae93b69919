import { describe, expect, test } from "vitest";
import type { JobRecord } from "../../../src/job/record.ts";
import { countBranches, jobView } from "../../../src/job/view.ts";
import {
  askingJob,
  branchOf,
  cancellingJob,
  expectingJob,
  freshJob,
  nestingJob,
  outcomeOf,
  pausedJob,
  runningJob,
  singleTask,
  T0,
  waitingJob,
} from "../../support/job-builders.ts";

describe("a job as its client sees it", () => {
  test("has the members of the public contract", () => {
    const job = waitingJob({ failures: 2, attempt: 4 }, { stateHistory: { step: 1 }, error: "busy" });
    expect(jobView(job, null)).toEqual({
      id: "job",
      blueprint_name: "flow",
      blueprint_version: 2,
      current_state: "work",
      status: "waiting_for_worker",
      initial_data: { file: "a.png" },
      metadata: {},
      data_metadata: {},
      state_history: { step: 1 },
      result: null,
      error_message: "busy",
      progress: null,
      progress_message: null,
      branches: null,
      waiting_for: null,
      paused: null,
      cancel_requested: false,
      retry_count: 2,
      retry_at: null,
      current_task_id: "job-1",
      child_job_id: null,
      parent_job_id: null,
      task_worker_id: null,
      current_task_info: { type: "resize", params: { width: 320 }, attempt: 4 },
      current_task_transitions: { success: "next" },
      tracing_context: { traceparent: "00-1-2-01" },
      client_config: { name: "alice", plan: "basic", params: { size: 3 } },
      created_at: "2023-11-14T22:13:20.000Z",
      updated_at: "2023-11-14T22:13:20.000Z",
      finished_at: null,
      deadline: null,
    });
  });

  test("names the worker that has its task", () => {
    expect(jobView(waitingJob(), null, "resizer-1")).toHaveProperty("task_worker_id", "resizer-1");
  });

  test("never holds what fences its attempts or what identifies its request", () => {
    const secret = { lease: "the-lease" };
    const text = JSON.stringify(jobView(waitingJob(secret, { requestDigest: "the-digest" }), null));
    for (const word of ["the-lease", "the-digest", "token", "lease"]) expect(text).not.toContain(word);
  });

  test("shows of its client the name, plan and params and nothing else that may hang on it", () => {
    const client = { name: "alice", plan: "basic", params: {}, token: "secret" };
    expect(JSON.stringify(jobView(freshJob(undefined, { client }), null))).not.toContain("secret");
  });

  test("is JSON", () => {
    const view = jobView(waitingJob(), { total: 2, done: 1, failed: 0 });
    expect(JSON.parse(JSON.stringify(view))).toEqual(view);
  });

  test("without params shows null for them", () => {
    const { task: _, ...job } = waitingJob();
    const view = jobView({ ...job, task: singleTask({ request: { type: "x" } }) }, null);
    expect(view["current_task_info"]).toEqual({ type: "x", params: null, attempt: 1 });
  });

  test("counts the failures of its handler while it has no task", () => {
    expect(jobView(freshJob(undefined, { handlerFailures: 2 }), null)["retry_count"]).toBe(2);
  });
});

describe("what a job waits for", () => {
  const waitingFor = (job: JobRecord) => jobView(job, null)["waiting_for"];
  const SINCE = "2023-11-14T22:13:20.000Z";
  const UNTIL = "2023-11-14T22:13:29.000Z";

  test("is nothing besides its task while it has one", () => {
    expect(waitingFor(waitingJob())).toBeNull();
  });

  test("may be people: it says what is asked of whom, and who has answered", () => {
    const decisions = [{ decision: "approved", by: "ann", comment: null, data: { secret: 1 }, at: T0 }];
    const transitions = { approved: "next", timeout: "late", cancelled: "sorry" };
    const wait = { until: T0 + 9_000, deciders: ["ann", "bob"], approvals: 2, decisions, transitions };
    expect(waitingFor(askingJob(wait))).toEqual({
      kind: "human",
      id: "job-1",
      since: SINCE,
      until: UNTIL,
      message: "Publish?",
      integration: null,
      data: null,
      deciders: ["ann", "bob"],
      approvals: 2,
      decisions: ["approved"],
      decided: [{ decision: "approved", decided_by: "ann", comment: null, decided_at: SINCE }],
    });
  });

  test("may be an event, or a moment", () => {
    const base = { id: "job-1", since: SINCE, until: UNTIL };
    expect(waitingFor(expectingJob({ until: T0 + 9_000 }))).toEqual({ kind: "event", event: "paid", ...base });
    const wait = { kind: "timer", id: "job-1", since: T0, until: T0 + 9_000, transitions: { done: "next" } } as const;
    expect(waitingFor(runningJob({ status: "waiting_for_event", wait }))).toEqual({ kind: "timer", ...base });
  });

  test("may be its start, or its next try", () => {
    const over = { wakeAt: T0 + 9_000 };
    expect(waitingFor(freshJob(undefined, over))).toEqual({ kind: "start", id: null, since: SINCE, until: UNTIL });
    expect(waitingFor(freshJob(undefined, { ...over, status: "awaiting_retry" }))).toMatchObject({
      kind: "retry",
      until: UNTIL,
    });
  });
});

describe("a job's view says", () => {
  test("who has paused it, since when and why", () => {
    expect(jobView(pausedJob(T0, waitingJob()), null)["paused"]).toEqual({
      since: "2023-11-14T22:13:20.000Z",
      by: "ann",
      reason: "lunch",
    });
  });

  test("that it is being cancelled, until its clean-up has ended", () => {
    expect(jobView(cancellingJob(), null)["cancel_requested"]).toBe(true);
    expect(jobView(waitingJob({}, { cleanUpFor: "why" }), null)["cancel_requested"]).toBe(true);
    expect(jobView(waitingJob(), null)["cancel_requested"]).toBe(false);
  });

  test("its child and its parent", () => {
    const parent = { jobId: "above", taskId: "above-1", attempt: 1 };
    expect(jobView(nestingJob({}, { parent }), null)).toMatchObject({
      current_task_id: null,
      child_job_id: "job-1",
      parent_job_id: "above",
      current_task_info: { type: "blueprint:report" },
    });
  });

  test("when its task is tried again, and when it must have ended", () => {
    expect(jobView(waitingJob({ retryAt: T0 + 9_000 }, { deadlineAt: T0 + 9_000 }), null)).toMatchObject({
      retry_at: "2023-11-14T22:13:29.000Z",
      deadline: "2023-11-14T22:13:29.000Z",
    });
  });
});

describe("the progress of a job", () => {
  const progress = (...args: Parameters<typeof jobView>) => jobView(...args)["progress"];

  test("is what its task reported", () => {
    expect(progress(freshJob(undefined, { progress: 0.4 }), null)).toBe(0.4);
  });

  test("is the share of branches that have ended, while it is fanned out", () => {
    expect(progress(freshJob(), { total: 4, done: 1, failed: 0 })).toBe(0.25);
  });

  test("is unknown for a fan-out of nothing", () => {
    expect(progress(freshJob(), { total: 0, done: 0, failed: 0 })).toBeNull();
  });

  test("is 1 once it has finished, and only then", () => {
    expect(progress(freshJob(undefined, { status: "finished", progress: 0.4, finishedAt: T0 }), null)).toBe(1);
    expect(progress(freshJob(undefined, { status: "failed", progress: 0.4, finishedAt: T0 }), null)).toBe(0.4);
  });
});

test("branches are counted as the aggregator will see them", () => {
  const statuses = ["success", "failure", "cancelled", "needs_review"];
  const ended = statuses.map((status, index) => branchOf(index + 1, { outcome: outcomeOf({ status }) }));
  expect(countBranches([...ended, branchOf(5)])).toEqual({ total: 5, done: 4, failed: 2 });
});
