import { blueprint, type CompleteBlueprint } from "batuta";
import { describe, expect, test, vi } from "vitest";
import type { Change, JobRecord } from "../../../src/job/record.ts";
import { runStep } from "../../../src/job/run-step.ts";
import { branchOf, flow, freshJob, outcomeOf, runningJob, surroundings, T0 } from "../../support/job-builders.ts";

const later = surroundings({ now: T0 + 5_000 });
const NONE = () => [];

/** A blueprint of one handler and an end. */
function handling(work: Parameters<ReturnType<typeof begun>["start"]>[1]): CompleteBlueprint {
  return begun().start("work", work).end("done");
}
const begun = () => blueprint({ name: "one", states: ["work", "done"] });

function runNow(job: JobRecord, bp: CompleteBlueprint, branches: Parameters<typeof runStep>[2] = NONE): Change {
  const run = runStep(job, bp, branches, later);
  if (!("done" in run)) throw new Error("The handler was expected to answer at once.");
  return run.done;
}

describe("a step", () => {
  test("begins with an event that counts the attempts of the state", () => {
    const { record } = runNow(freshJob(flow, { handlerFailures: 2, unsent: [] }), flow);
    expect(record.unsent[0]).toMatchObject({
      event_type: "state_started",
      state: "work",
      status: "running",
      attempt_number: 3,
    });
  });

  test("gives its handler all that it may know, the keys of state_history by name, and no token or lease", () => {
    const handler = vi.fn(() => ({ kind: "transition" as const, to: "done" as const }));
    runNow(freshJob(undefined, { stateHistory: { step: 1, jobId: "hidden" } }), handling(handler));
    expect(handler).toHaveBeenCalledExactlyOnceWith({
      step: 1,
      jobId: "job",
      initialData: { file: "a.png" },
      stateHistory: { step: 1, jobId: "hidden" },
      currentState: "work",
      dataStores: {},
      metadata: {},
      actions: expect.objectContaining({ transitionTo: expect.any(Function) }),
      client: { name: "alice", plan: "basic", params: { size: 3 } },
      tracingContext: { traceparent: "00-1-2-01" },
      aggregationResults: { all: [], succeeded: [], failed: [] },
    });
  });

  test("gives an aggregator the results of the branches, and a handler none even then", () => {
    const seen: unknown[] = [];
    const bp = blueprint({ name: "two", states: ["work", "join", "done"] })
      .start("work", ({ actions }) => actions.transitionTo("done"))
      .aggregator("join", ({ aggregationResults, actions }) => {
        seen.push(...aggregationResults.all.map((result) => result.data));
        return actions.transitionTo("done");
      })
      .end("done");
    const branches = vi.fn(() => [branchOf(1, { outcome: outcomeOf({ data: "a" }) })]);
    runNow(runningJob({ state: "join" }), bp, branches);
    runNow(runningJob({ state: "work" }), bp, branches);
    expect(seen).toEqual(["a"]);
    expect(branches).toHaveBeenCalledOnce();
  });

  test("of a state that the blueprint no longer has quarantines the job and says which versions these are", () => {
    const { record } = runNow(freshJob(flow, { state: "gone", blueprintVersion: 1 }), flow);
    expect(record).toMatchObject({
      status: "quarantined",
      error: "Blueprint 'flow' version 2 has no state 'gone' (the job was created by version 1).",
    });
  });
});

describe("an end state", () => {
  const ending = (end: (bp: ReturnType<typeof started>) => CompleteBlueprint) =>
    runNow(runningJob({ state: "done", stateHistory: { a: 1 }, error: null }), end(started())).record;
  const started = () => begun().start("work", ({ actions }) => actions.transitionTo("done"));

  test("without a handler finishes the job with state_history as the result", () => {
    const job = ending((bp) => bp.end("done"));
    expect(job).toMatchObject({
      status: "finished",
      result: { a: 1 },
      error: null,
      finishedAt: T0 + 5_000,
      wakeAt: null,
    });
    expect(job.unsent.at(-1)).toMatchObject({ event_type: "job_finished", status: "finished", duration_ms: 5_000 });
  });

  test("with a handler finishes the job with what it returns", () => {
    expect(ending((bp) => bp.end("done", ({ stateHistory }) => ({ b: stateHistory["a"] }))).result).toEqual({ b: 1 });
    expect(ending((bp) => bp.end("done", () => undefined)).result).toBeNull();
  });

  test("that means failure fails the job, with the reason that led there", () => {
    const failing = (error: string | null) =>
      runNow(runningJob({ state: "done", error }), started().end("done", { failure: true })).record;
    expect(failing("PERMANENT_ERROR: m")).toMatchObject({ status: "failed", error: "PERMANENT_ERROR: m" });
    expect(failing(null)).toMatchObject({ status: "failed", error: "The job ended in state 'done'." });
  });

  test("can both compute a result and mean failure", () => {
    expect(ending((bp) => bp.end("done", () => "why", { failure: true }))).toMatchObject({
      status: "failed",
      result: "why",
    });
  });

  test("whose handler throws is retried like any other", () => {
    const job = ending((bp) =>
      bp.end("done", () => {
        throw new Error("no");
      }),
    );
    expect(job).toMatchObject({ status: "awaiting_retry", error: "no" });
  });

  test("whose result is too large to keep is retried and then quarantined, with the size", () => {
    const end = (bp: ReturnType<typeof started>) => bp.end("done", () => "x".repeat(262_143));
    expect(ending(end)).toMatchObject({
      status: "awaiting_retry",
      error: expect.stringContaining("262145 bytes; 262144 are allowed"),
    });
  });
});

describe("a handler that fails", () => {
  const throwing = handling(() => {
    throw new Error("broken");
  });

  test("is retried after a backoff, on a counter of its own", () => {
    const { record } = runNow(runningJob({ handlerFailures: 1 }), throwing);
    expect(record).toMatchObject({
      status: "awaiting_retry",
      handlerFailures: 2,
      error: "broken",
      state: "work",
      wakeAt: T0 + 6_000,
    });
    expect(record.unsent.at(-1)).toMatchObject({ event_type: "state_failed", attempt_number: 2, error: "broken" });
  });

  test("is quarantined with its error when the retries are used up", () => {
    expect(runNow(runningJob({ handlerFailures: 2 }), throwing).record.status).toBe("awaiting_retry");
    expect(runNow(runningJob({ handlerFailures: 3 }), throwing).record).toMatchObject({
      status: "quarantined",
      handlerFailures: 4,
      error: "broken",
      wakeAt: null,
    });
  });

  test.each([
    ["a text", "bare"],
    ["nothing", undefined],
    ["an object", { odd: true }],
  ])("by throwing %s keeps what can be said of it", (_, thrown) => {
    const bp = handling(() => {
      throw thrown;
    });
    expect(runNow(runningJob(), bp).record.error).toBe(String(thrown));
  });

  test.each([undefined, null, "done", {}, { kind: "fly" }, { kind: "constructor" }, []])(
    "by returning %j, which is no action, is told what to return",
    (value) => {
      expect(
        runNow(
          runningJob(),
          handling(() => value as never),
        ).record,
      ).toMatchObject({
        status: "awaiting_retry",
        error:
          "The handler of state 'work' in blueprint 'one' returned no action. Return one of transitionTo, dispatchTask, dispatchParallel, runParallel, runBlueprint, awaitHumanApproval, waitFor, sleep of actions.",
      });
    },
  );

  test("by an action that cannot be done has changed nothing else", () => {
    const bp = handling(({ actions }) =>
      actions.dispatchTask({ type: "x", params: 1n, transitions: {}, stateHistory: { a: 1 } }),
    );
    const job = runningJob({ stateHistory: { kept: 1 }, nextTask: 3 });
    expect(runNow(job, bp)).toMatchObject({
      offers: [],
      branches: [],
      record: { status: "awaiting_retry", stateHistory: { kept: 1 }, nextTask: 3, task: null },
    });
  });
});

describe("what cannot be stored", () => {
  test("fails the step of the handler that hands it over", () => {
    const bp = handling(({ actions }) => actions.transitionTo("done", { later: () => 1 }));
    expect(runNow(runningJob(), bp).record).toMatchObject({ status: "awaiting_retry", stateHistory: {} });
  });

  test("fails the end state whose result it is", () => {
    const bp = begun()
      .start("work", ({ actions }) => actions.transitionTo("done"))
      .end("done", () => () => 1);
    expect(runNow(runningJob({ state: "done" }), bp).record).toMatchObject({ status: "awaiting_retry", result: null });
  });

  test("is never a part of what the handler keeps and may still change", () => {
    const kept = { list: [1] };
    const { record } = runNow(
      runningJob(),
      handling(({ actions }) => actions.transitionTo("done", kept)),
    );
    kept.list.push(2);
    expect(record.stateHistory).toEqual({ list: [1] });
  });
});

describe("a handler that takes its time", () => {
  test("leaves the job as started until it answers, and then sees the clock of that moment", async () => {
    const run = runStep(
      freshJob(),
      handling(async ({ actions }) => actions.transitionTo("done")),
      NONE,
      later,
    );
    if (!("started" in run)) throw new Error("The handler was expected to take its time.");
    expect(run.started).toMatchObject({ status: "running", state: "work" });
    const { record } = (await run.settled)(run.started, surroundings({ now: T0 + 60_000 }));
    expect(record).toMatchObject({ status: "running", state: "done", stateSince: T0 + 60_000 });
  });

  test.each([
    ["rejects", async () => Promise.reject(new Error("broken"))],
    ["answers with what is no action", async () => "text" as never],
  ])("and then %s fails like one that throws", async (_, handler) => {
    const run = runStep(freshJob(), handling(handler), NONE, later);
    if (!("started" in run)) throw new Error("The handler was expected to take its time.");
    const { record } = (await run.settled)(run.started, later);
    expect(record).toMatchObject({ status: "awaiting_retry", handlerFailures: 1 });
  });
});
