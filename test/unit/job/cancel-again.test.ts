import { describe, expect, test } from "vitest";
import { dueChange } from "../../../src/job/timeouts.ts";
import { JobBench } from "../../support/job-bench.ts";
import { cancellingJob, oneState, surroundings } from "../../support/job-builders.ts";

function working(): JobBench {
  const blueprint = oneState().start("work", ({ actions }) =>
    actions.dispatchTask({ type: "x", transitions: { success: "done", cancelled: "sad" } }),
  );
  const bench = new JobBench(blueprint);
  bench.job.take("job-1");
  return bench;
}

const cancel = (bench: JobBench, id?: string) => bench.job.command("ann", { do: "cancel", id });

describe("a cancel that comes again with its id", () => {
  test("is no second cancel, which would not wait for the worker", () => {
    const bench = working();
    expect(cancel(bench, "a")).toEqual({ ok: true, status: "waiting_for_worker" });
    const cancelling = bench.record;
    expect(cancel(bench, "a")).toEqual({ ok: true, status: "waiting_for_worker", note: "duplicate" });
    expect(bench.record).toBe(cancelling);
    expect(cancel(bench, "b").ok).toBe(true);
    expect(bench.record).toMatchObject({ status: "cancelled", state: "sad" });
  });

  test("is answered well once the job has ended by it", () => {
    const bench = working();
    cancel(bench, "a");
    bench.pass(30_000);
    const ended = bench.record;
    expect(ended).toMatchObject({ status: "cancelled" });
    expect(cancel(bench, "a")).toEqual({ ok: true, status: "cancelled", note: "duplicate" });
    expect(cancel(bench, "b")).toMatchObject({ ok: false, code: "conflict" });
    expect(bench.record).toBe(ended);
  });

  test("is not mistaken for an event of the same id", () => {
    const bench = working();
    bench.job.command("ann", { do: "event", name: "paid", id: "a", data: 1 });
    expect(cancel(bench, "a")).toEqual({ ok: true, status: "waiting_for_worker" });
    expect(bench.record.cancellation).not.toBeNull();
  });
});

test("the end of a cancel's grace calls back once more what is out: the first call may have been lost with the object's life", () => {
  const job = cancellingJob({ waitsFor: null });
  const around = surroundings({ now: job.cancellation?.until ?? 0 });
  const change = dueChange(job, null, new Map(), around);
  expect(change?.record.status).toBe("cancelled");
  expect(change?.releases.map(({ id }) => id)).toEqual(["job-1"]);
});
