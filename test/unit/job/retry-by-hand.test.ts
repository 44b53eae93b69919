import { blueprint } from "batuta";
import { describe, expect, test } from "vitest";
import type { JobCommand } from "../../../src/job/command.ts";
import { applyCommand } from "../../../src/job/commands.ts";
import type { JobRecord } from "../../../src/job/record.ts";
import { JobBench } from "../../support/job-bench.ts";
import { flow, openOf, runningJob, surroundings, T0 } from "../../support/job-builders.ts";

const later = surroundings({ now: T0 + 5_000 });

function ask(job: JobRecord, asked: JobCommand, bp = flow) {
  const { answer, change } = applyCommand(job, bp, openOf(), "ann", asked, later);
  return { answer, change, job: change?.record ?? null };
}

function refusal(code: string, error: string) {
  return { answer: { ok: false, code, error }, change: null };
}

describe("a retry by hand", () => {
  const failed = runningJob({
    status: "quarantined",
    state: "late",
    error: "broken",
    handlerFailures: 4,
    transitions: 100,
    finishedAt: T0,
    result: { half: 1 },
    wakeAt: null,
  });

  test.each(["failed", "quarantined"] as const)(
    "of a job that is %s runs the state it failed in once more",
    (status) => {
      const { answer, job } = ask({ ...failed, status }, { do: "retry", reason: "ink is back" });
      expect(answer).toEqual({ ok: true, status: "running" });
      expect(job).toMatchObject({
        status: "running",
        state: "late",
        stateSince: T0 + 5_000,
        error: null,
        result: null,
        finishedAt: null,
        handlerFailures: 0,
        transitions: 0,
        wakeAt: T0 + 5_000,
      });
      expect(job?.unsent).toMatchObject([
        {
          event_type: "job_retried",
          status,
          next_state: "late",
          context_snapshot: { by: "ann", reason: "ink is back", keys: [] },
        },
      ]);
    },
  );

  test("may go on from another state, with other data", () => {
    const { job } = ask(failed, { do: "retry", state: "next", stateHistory: { a: 1 } });
    expect(job).toMatchObject({ state: "next", stateHistory: { a: 1 } });
    expect(job?.unsent[0]?.context_snapshot).toEqual({ by: "ann", reason: null, keys: ["a"] });
  });

  test.each(["running", "waiting_for_worker", "finished", "cancelled"] as const)(
    "is refused for a job that is %s",
    (status) => {
      expect(ask({ ...failed, status }, { do: "retry" })).toMatchObject(
        refusal("conflict", `The job is ${status}; only failed and quarantined jobs are retried.`),
      );
    },
  );

  test("of a job that its blueprint's end state ended needs to be told where to go on", () => {
    const sorry: JobRecord = { ...failed, status: "failed", state: "sorry", byEndState: true };
    expect(ask(sorry, { do: "retry" })).toMatchObject(
      refusal("bad_request", "The job ended by its blueprint's end state 'sorry'. Name the state to go on from."),
    );
    expect(ask(sorry, { do: "retry", state: "work" }).job).toMatchObject({ state: "work", byEndState: false });
  });

  test("goes to no state that does not exist, nor to one that aggregates", () => {
    expect(ask(failed, { do: "retry", state: "gone" }).answer).toMatchObject({ code: "bad_request" });
    expect(ask(failed, { do: "retry", state: "join" }).answer).toMatchObject({ code: "bad_request" });
    expect(ask({ ...failed, state: "gone" }, { do: "retry" }).answer).toMatchObject({
      ok: false,
      error: expect.stringContaining("has no state 'gone'"),
    });
  });
});

describe("a retry of an aggregator that failed", () => {
  const broken = () => {
    let mended = false;
    const bp = blueprint({ name: "fan", states: ["work", "join", "done"] })
      .start("work", ({ actions }) =>
        actions.dispatchParallel([{ type: "x" }, { type: "y" }], { aggregateInto: "join" }),
      )
      .aggregator("join", ({ aggregationResults, actions }) => {
        if (!mended) throw new Error("broken");
        return actions.transitionTo("done", { data: aggregationResults.all.map((result) => result.data) });
      })
      .end("done");
    const bench = new JobBench(bp, { settings: { maxRetries: 0 } });
    for (const taskId of ["job-1", "job-2"]) {
      bench.job.report({ taskId, workerId: "w", outcome: { status: "success", data: taskId } });
    }
    expect(bench.record).toMatchObject({ status: "quarantined", state: "join" });
    mended = true;
    return bench;
  };

  test.each([undefined, "join"])("runs it on the very same branches, when told to go on from %s", (state) => {
    const bench = broken();
    expect(bench.job.command("ann", { do: "retry", state })).toEqual({ ok: true, status: "finished" });
    expect(bench.record.result).toEqual({ data: ["job-1", "job-2"] });
    expect(bench.offers).toHaveLength(2);
  });

  test("from the state before fans out anew", () => {
    const bench = broken();
    bench.job.command("ann", { do: "retry", state: "work" });
    expect(bench.offers.slice(2).map((task) => task.id)).toEqual(["job-3", "job-4"]);
  });
});
