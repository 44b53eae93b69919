import { blueprint } from "batuta";
import { describe, expect, test } from "vitest";
import { createJob, type CreateJob } from "../../../src/job/create.ts";
import { endJob } from "../../../src/job/ending.ts";
import { flow, freshJob, humanWait, pausedJob, runningJob, T0, waitingJob } from "../../support/job-builders.ts";

const INPUT: CreateJob = {
  id: "j",
  client: { name: "c", plan: "p", params: {} },
  initialData: {},
  requestDigest: "",
  tracing: {},
};

describe("a new job", () => {
  test("is about to run the start state of its blueprint", () => {
    expect(freshJob()).toMatchObject({
      v: 2,
      id: "job",
      blueprint: "flow",
      blueprintVersion: 2,
      state: "work",
      status: "pending",
      stateHistory: {},
      wakeAt: T0,
      createdAt: T0,
      nextTask: 1,
      unsent: [{ seq: 1, event_type: "job_created", status: "pending", state: "work" }],
    });
  });

  test("has what its client asked for, and what it says of its tasks", () => {
    const asked = {
      metadata: { team: "a" },
      webhookUrl: "https://client.test/hook",
      dispatchTimeoutSeconds: 5,
      resultTimeoutSeconds: 6,
      parent: { jobId: "above", taskId: "above-1", attempt: 1 },
      depth: 3,
    };
    expect(createJob(flow, { ...INPUT, ...asked }, T0)).toMatchObject({
      metadata: asked.metadata,
      webhookUrl: asked.webhookUrl,
      defaultTimeouts: { dispatchSeconds: 5, resultSeconds: 6 },
      parent: asked.parent,
      depth: 3,
    });
    expect(createJob(flow, INPUT, T0)).toMatchObject({
      metadata: {},
      webhookUrl: null,
      defaultTimeouts: { dispatchSeconds: null, resultSeconds: null },
      parent: null,
      depth: 0,
      notices: [],
    });
  });

  test.each([
    ["when its time has come", T0 + 9, T0 + 9],
    ["at once when that has passed", T0 - 9, T0],
    ["at once when nothing is said", null, T0],
  ])("starts %s", (_, startAt, wakeAt) => {
    expect(createJob(flow, { ...INPUT, startAt }, T0)).toMatchObject({ status: "pending", wakeAt });
  });

  test("must end in its blueprint's time from its start, and no later than its parent", () => {
    const bp = { ...flow, timeout: { seconds: 60 }, unfinished: [] as never };
    const deadlineOf = (over: Partial<CreateJob>) => createJob(bp, { ...INPUT, ...over }, T0).deadlineAt;
    expect(deadlineOf({})).toBe(T0 + 60_000);
    expect(deadlineOf({ startAt: T0 + 9_000 })).toBe(T0 + 69_000);
    expect(deadlineOf({ deadlineAt: T0 + 30_000 })).toBe(T0 + 30_000);
    expect(deadlineOf({ deadlineAt: T0 + 90_000 })).toBe(T0 + 60_000);
    expect(createJob(flow, { ...INPUT, deadlineAt: T0 + 90_000 }, T0).deadlineAt).toBe(T0 + 90_000);
    expect(createJob(flow, INPUT, T0).deadlineAt).toBeNull();
  });

  test("cannot be made of a blueprint without a start state", () => {
    const bp = blueprint({ name: "lost", states: ["done"] }).end("done");
    expect(() => createJob({ ...bp, unfinished: [] as never }, INPUT, T0)).toThrow(
      "Blueprint 'lost' has no start state.",
    );
  });
});

describe("a job that ends", () => {
  test.each([
    ["finished", "job_finished"],
    ["failed", "job_failed"],
    ["quarantined", "job_quarantined"],
    ["cancelled", "job_cancelled"],
  ] as const)("as %s waits for nothing more and says so in history", (status, event_type) => {
    const fanOut = { from: "work", into: "join", first: 1, total: 2, failFast: false, maxConcurrent: null };
    const cancellation = { until: T0 + 9, error: "why", waitsFor: ["job-1"] };
    const live = pausedJob(T0, waitingJob({}, { fanOut, wait: humanWait(), cancellation, deadlineAt: T0 + 9 }));
    const job = endJob(live, { status }, T0 + 50);
    expect(job).toMatchObject({
      status,
      task: null,
      wait: null,
      fanOut: null,
      pause: null,
      cancellation: null,
      deadlineAt: null,
      wakeAt: null,
      checkAt: null,
      finishedAt: T0 + 50,
      result: null,
      error: null,
    });
    expect(job.unsent).toMatchObject([{ event_type, status, duration_ms: 50 }]);
  });

  test("keeps why and with what", () => {
    const job = endJob(runningJob(), { status: "failed", error: "why", result: { part: 1 } }, T0);
    expect(job).toMatchObject({ error: "why", result: { part: 1 }, unsent: [{ error: "why" }] });
  });
});
