import { blueprint } from "batuta";
import { describe, expect, test } from "vitest";
import { createJob } from "../../../src/job/create.ts";
import { endJob } from "../../../src/job/ending.ts";
import { freshJob, runningJob, T0, waitingJob } from "../../support/job-builders.ts";

describe("a new job", () => {
  test("is about to run the start state of its blueprint", () => {
    expect(freshJob()).toMatchObject({
      v: 1,
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

  test("cannot be made of a blueprint without a start state", () => {
    const bp = blueprint({ name: "lost", states: ["done"] }).end("done");
    const input = {
      id: "j",
      client: { name: "c", plan: "p", params: {} },
      initialData: {},
      requestDigest: "",
      tracing: {},
    };
    expect(() => createJob({ ...bp, unfinished: [] as never }, input, T0)).toThrow(
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
    const job = endJob(waitingJob({}, { fanOut: { into: "join", first: 1, total: 2 } }), { status }, T0 + 50);
    expect(job).toMatchObject({
      status,
      task: null,
      fanOut: null,
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
