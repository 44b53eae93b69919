import { blueprint } from "batuta";
import { describe, expect, test } from "vitest";
import { JobBench } from "../../support/job-bench.ts";
import { T0 } from "../../support/job-builders.ts";

type Options = ConstructorParameters<typeof JobBench>[1];
type Start = Parameters<ReturnType<typeof tidying>["start"]>[1];

/** The clean-up state runs a task of its own, whose word decides where it ends. */
function tidying(timeout?: { readonly seconds: number }) {
  return blueprint({ name: "tidying", states: ["work", "tidy", "good", "bad"], ...(timeout && { timeout }) })
    .handler("tidy", ({ actions }) =>
      actions.dispatchTask({
        type: "tidy",
        retry: { maxAttempts: 1 },
        transitions: { success: "good", refused: "bad", cancelled: "good" },
      }),
    )
    .end("good")
    .end("bad", { failure: true });
}

const working: Start = ({ actions }) =>
  actions.dispatchTask({ type: "x", transitions: { success: "good", cancelled: "tidy" } });

function of(start: Start, options?: Options): JobBench {
  return new JobBench(tidying().start("work", start), options);
}

function cancel(bench: JobBench, by = "ann") {
  return bench.job.command(by, { do: "cancel" });
}

function report(bench: JobBench, status: string, number: number) {
  return bench.job.report({ taskId: `job-${number}`, workerId: "w", outcome: { status } }).status;
}

/** A cancelled job whose clean-up waits for its task, `job-2`. */
function cleaning(): JobBench {
  const bench = of(working);
  cancel(bench);
  expect(bench.record).toMatchObject({ status: "waiting_for_worker", state: "tidy", cancellation: null });
  return bench;
}

const WHY = "The job was cancelled by ann.";

describe("a cancelled job with a state for it cleans up there", () => {
  test.each<[string, Start]>([
    ["when no worker has its task", working],
    [
      "when it waits for people",
      ({ actions }) =>
        actions.awaitHumanApproval({ message: "?", transitions: { approved: "good", cancelled: "tidy" } }),
    ],
    [
      "when it waits for an event",
      ({ actions }) => actions.waitFor({ event: "paid", transitions: { received: "good", cancelled: "tidy" } }),
    ],
  ])("%s: at once", (_, start) => {
    const bench = of(start);
    expect(cancel(bench)).toEqual({ ok: true, status: "waiting_for_worker" });
    expect(bench.record).toMatchObject({ state: "tidy", cleanUpFor: WHY });
    expect(bench.offers.at(-1)?.request.type).toBe("tidy");
  });

  test.each(["success", "failure", "cancelled"])("when its worker has answered, here with '%s'", (status) => {
    const bench = of(working);
    bench.job.take("job-1");
    cancel(bench);
    expect(bench.record.state).toBe("work");
    report(bench, status, 1);
    expect(bench.record).toMatchObject({ state: "tidy", cleanUpFor: WHY });
  });

  test("when the grace is over", () => {
    const bench = of(working);
    bench.job.take("job-1");
    cancel(bench);
    bench.pass(30_000);
    expect(bench.record).toMatchObject({ state: "tidy", status: "waiting_for_worker" });
    expect(report(bench, "success", 1)).toBe("ignored");
  });

  test("when its child has ended", () => {
    const bench = of(({ actions }) =>
      actions.runBlueprint({ blueprint: "kid", transitions: { success: "good", cancelled: "tidy" } }),
    );
    cancel(bench);
    bench.job.childEnded("job-1", { status: "finished", state: "x", result: 1, error: null });
    expect(bench.record).toMatchObject({ state: "tidy", cleanUpFor: WHY });
  });
});

describe("a clean-up", () => {
  test.each([
    ["finishes", "success", { error: WHY, result: {} }],
    [
      "fails by its end state",
      "refused",
      { error: `${WHY} Its clean-up ended as failed: The job ended in state 'bad'.` },
    ],
    [
      "fails",
      "failure",
      {
        error: `${WHY} Its clean-up ended as quarantined: Task failed after 1 attempts: No error details provided.`,
      },
    ],
    [
      "says what nobody expects",
      "odd",
      { error: `${WHY} Its clean-up ended as failed: Worker returned unhandled status: odd` },
    ],
  ])("that %s ends the job as cancelled", (_, status, end) => {
    const bench = cleaning();
    report(bench, status, 2);
    expect(bench.record).toMatchObject({ status: "cancelled", ...end });
    expect(bench.job.events.at(-1)).toMatchObject({ event_type: "job_cancelled" });
  });

  test("may run several states", () => {
    const bp = blueprint({ name: "long", states: ["work", "undo", "tell", "end"] })
      .start("work", ({ actions }) =>
        actions.waitFor({ event: "paid", transitions: { received: "end", cancelled: "undo" } }),
      )
      .handler("undo", ({ actions }) => actions.transitionTo("tell", { undone: true }))
      .handler("tell", ({ actions }) => actions.sleep({ seconds: 5, to: "end" }))
      .end("end");
    const bench = new JobBench(bp);
    cancel(bench);
    bench.pass(5_000);
    expect(bench.record).toMatchObject({ status: "cancelled", state: "end", result: { undone: true } });
  });

  test("that is cancelled has no clean-up of its own", () => {
    const bench = cleaning();
    cancel(bench, "bob");
    expect(bench.record).toMatchObject({ status: "cancelled", state: "tidy", error: "The job was cancelled by bob." });
  });

  test("waits for its worker like any job when it is cancelled", () => {
    const bench = cleaning();
    bench.job.take("job-2");
    cancel(bench, "bob");
    expect(bench.record).toMatchObject({ status: "waiting_for_worker", state: "tidy" });
    report(bench, "cancelled", 2);
    expect(bench.record).toMatchObject({ status: "cancelled", state: "tidy" });
  });

  test("of a job that was never cancelled ends it as any state would", () => {
    const bench = of(working);
    report(bench, "cancelled", 1);
    expect(bench.record).toMatchObject({ state: "tidy", cleanUpFor: null });
    report(bench, "success", 2);
    expect(bench.record.status).toBe("finished");
  });

  test("has the time that was left when the job was paused", () => {
    const bench = new JobBench(tidying({ seconds: 60 }).start("work", working));
    bench.pass(10_000);
    bench.job.command("ann", { do: "pause", reason: "lunch" });
    bench.pass(3_600_000);
    cancel(bench);
    expect(bench.record).toMatchObject({ state: "tidy", pause: null, deadlineAt: T0 + 3_660_000 });
  });

  test("has that time after the grace too", () => {
    const bench = new JobBench(tidying({ seconds: 60 }).start("work", working));
    bench.job.take("job-1");
    bench.job.command("ann", { do: "pause", reason: "lunch" });
    bench.pass(3_600_000);
    cancel(bench);
    bench.pass(30_000);
    expect(bench.record).toMatchObject({ state: "tidy", deadlineAt: T0 + 3_660_000 });
    bench.pass(30_000);
    expect(bench.record).toMatchObject({
      status: "cancelled",
      error: expect.stringMatching(/^The job was cancelled by ann\. Its clean-up ended as failed: Job timed out/),
    });
  });
});
