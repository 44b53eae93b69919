import { describe, expect, test } from "vitest";
import { outcomeOf } from "../../../src/job/outcome.ts";
import type { Notice } from "../../../src/job/record.ts";
import { JobBench } from "../../support/job-bench.ts";
import { freshJob, oneState, runningJob, T0 } from "../../support/job-builders.ts";

type Start = Parameters<ReturnType<typeof oneState>["start"]>[1];
type Options = ConstructorParameters<typeof JobBench>[1];

const WEBHOOK = { webhookUrl: "https://client.test/hook" };
const PARENT = { parent: { jobId: "above", taskId: "above-1", attempt: 1 } };
const working: Start = ({ actions }) => actions.dispatchTask({ type: "x", transitions: { success: "done" } });

function of(start: Start, options: Options = {}): JobBench {
  return new JobBench(oneState().start("work", start), options);
}

function told(bench: JobBench): string[] {
  return bench.record.notices.map((notice: Notice) => (notice.kind === "webhook" ? notice.event : notice.kind));
}

const ENDS = ["finished", "failed", "quarantined", "cancelled"] as const;

/** Ends the job of `working`. */
function end(bench: JobBench, status: (typeof ENDS)[number]): JobBench {
  if (status === "cancelled") bench.job.command("ann", { do: "cancel" });
  else {
    const said = { finished: "success", failed: "perhaps", quarantined: "failure" }[status];
    const error = { code: "PERMANENT_ERROR", message: "m" };
    bench.job.report({ taskId: "job-1", workerId: "w", outcome: { status: said, error } });
  }
  expect(bench.record.status).toBe(status);
  return bench;
}

describe.each(ENDS)("the end of a job that is %s", (status) => {
  test("is told to its webhook and to its parent, once each, and to nobody else", () => {
    expect(told(end(of(working, WEBHOOK), status))).toEqual([`job_${status}`]);
    expect(told(end(of(working, PARENT), status))).toEqual(["tell_parent"]);
    expect(told(end(of(working, { ...WEBHOOK, ...PARENT }), status))).toEqual(["tell_parent", `job_${status}`]);
    expect(told(end(of(working), status))).toEqual([]);
  });

  test("is told with a name and a time of its own", () => {
    const bench = of(working, WEBHOOK);
    bench.now += 5_000;
    end(bench, status);
    expect(bench.record.notices).toEqual([
      { kind: "webhook", id: `job-${bench.record.eventSeq}`, event: `job_${status}`, at: T0 + 5_000 },
    ]);
  });

  test("is what its parent learns", () => {
    const { record } = end(of(working, PARENT), status);
    expect(outcomeOf(record)).toEqual({ status, state: record.state, result: record.result, error: record.error });
  });
});

describe("nothing leaves a job", () => {
  test("while it only goes from state to state, or waits for work", () => {
    expect(told(of(working, { ...WEBHOOK, ...PARENT }))).toEqual([]);
  });

  test("that waits for an event, or sleeps", () => {
    const event: Start = ({ actions }) => actions.waitFor({ event: "paid", transitions: { received: "done" } });
    expect(told(of(event, WEBHOOK))).toEqual([]);
    expect(told(of(({ actions }) => actions.sleep({ seconds: 5, to: "done" }), WEBHOOK))).toEqual([]);
  });
});

describe("a job that ended and is repaired", () => {
  test("by a retry is told of once more when it ends again", () => {
    const bench = end(of(working, { ...WEBHOOK, ...PARENT }), "quarantined");
    bench.job.command("ann", { do: "retry" });
    bench.job.report({ taskId: "job-2", workerId: "w", outcome: { status: "success" } });
    expect(told(bench)).toEqual(["tell_parent", "job_quarantined", "tell_parent", "job_finished"]);
    const ids = bench.record.notices.flatMap((notice) => (notice.kind === "webhook" ? [notice.id] : []));
    expect(new Set(ids).size).toBe(2);
  });

  test("by a discard is told of to its webhook only: its parent went on when it was quarantined", () => {
    const bench = end(of(working, { ...WEBHOOK, ...PARENT }), "quarantined");
    bench.job.command("ann", { do: "discard" });
    expect(told(bench)).toEqual(["tell_parent", "job_quarantined", "job_cancelled"]);
    expect(bench.record.parent).toEqual(PARENT.parent);
  });
});

test("a job whose loop guard ends it tells so like any other", () => {
  const bench = of(({ actions }) => actions.transitionTo("done"), { ...WEBHOOK, settings: { maxTransitions: 0 } });
  expect(bench.record).toMatchObject({ status: "failed", error: expect.stringContaining("maximum transitions (0)") });
  expect(told(bench)).toEqual(["job_failed"]);
});

test.each([freshJob(), runningJob()])("a job that has not ended has no outcome to tell", (job) => {
  expect(() => outcomeOf(job)).toThrow(`Job job has not ended: it is ${job.status}.`);
});
