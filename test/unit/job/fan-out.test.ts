import { blueprint, type CompleteBlueprint } from "batuta";
import { describe, expect, test } from "vitest";
import { JobBench } from "../../support/job-bench.ts";
import { T0 } from "../../support/job-builders.ts";

interface Options {
  readonly failFast?: boolean;
  readonly maxConcurrent?: number;
}

/** Fans out into `count` tasks; the result is the status of each. */
function fan(
  count: number,
  options: Options,
  task: { readonly resultTimeoutSeconds?: number } = {},
): CompleteBlueprint {
  return blueprint({ name: "fan", states: ["work", "join", "done"] })
    .start("work", ({ actions }) =>
      actions.dispatchParallel(
        Array.from({ length: count }, (_, n) => ({ type: "x", params: { n }, retry: { initialMs: 0 }, ...task })),
        { aggregateInto: "join", ...options },
      ),
    )
    .aggregator("join", ({ aggregationResults, actions }) =>
      actions.transitionTo("done", { statuses: aggregationResults.all.map((result) => result.status) }),
    )
    .end("done", ({ stateHistory }) => stateHistory["statuses"]);
}

function report(bench: JobBench, number: number, status = "success", code = "PERMANENT_ERROR"): string {
  const error = status === "failure" ? { error: { code, message: "m" } } : {};
  return bench.job.report({ taskId: `job-${number}`, workerId: "w", outcome: { status, ...error } }).status;
}

function offered(bench: JobBench): string[] {
  return bench.offers.map((task) => task.id);
}

describe("a fan-out of nothing", () => {
  test.each([{}, { failFast: true }, { maxConcurrent: 1 }])("with %j aggregates at once", (options) => {
    expect(new JobBench(fan(0, options)).record).toMatchObject({ status: "finished", result: [] });
  });
});

describe("a fan-out that fails fast", () => {
  test.each([
    ["has failed for good", "failure"],
    ["was cancelled by its worker", "cancelled"],
  ])("aggregates as soon as one branch %s: the others end as cancelled and are called back", (_, status) => {
    const bench = new JobBench(fan(4, { failFast: true }));
    report(bench, 3);
    report(bench, 2, status);
    expect(bench.record).toMatchObject({ status: "finished", result: ["cancelled", status, "success", "cancelled"] });
    expect(bench.releases.map((task) => task.id)).toEqual(["job-1", "job-4"]);
    const error = { code: "CANCELLED", message: "Not waited for: branch job-2 failed, and the fan-out fails fast." };
    expect(bench.job.branches.get("job-1")?.outcome).toMatchObject({ status: "cancelled", error, workerId: null });
    expect(bench.job.events.map((event) => event.seq)).toEqual(bench.job.events.map((_, index) => index + 1));
  });

  test("takes nothing of the others any more", () => {
    const bench = new JobBench(fan(2, { failFast: true }));
    report(bench, 1, "failure");
    const before = bench.record;
    expect(report(bench, 2)).toBe("ignored");
    expect(bench.record).toBe(before);
  });

  test("goes on while a failure may still pass", () => {
    const bench = new JobBench(fan(2, { failFast: true }));
    report(bench, 1, "failure", "TRANSIENT_ERROR");
    expect(bench.record.status).toBe("waiting_for_parallel_tasks");
    bench.pass(0);
    expect(offered(bench)).toEqual(["job-1", "job-2", "job-1"]);
  });

  test("calls back neither what rests nor what was held back", () => {
    const bench = new JobBench(fan(4, { failFast: true, maxConcurrent: 2 }));
    report(bench, 1, "failure", "TRANSIENT_ERROR");
    report(bench, 2, "failure");
    expect(bench.record).toMatchObject({ result: ["cancelled", "failure", "cancelled", "cancelled"] });
    expect(bench.releases).toEqual([]);
  });

  test("ends like any other when the last branch fails", () => {
    const bench = new JobBench(fan(2, { failFast: true }));
    report(bench, 2);
    report(bench, 1, "failure");
    expect(bench.record).toMatchObject({ status: "finished", result: ["failure", "success"] });
  });

  test("that does not fail fast waits for every branch", () => {
    const bench = new JobBench(fan(2, {}));
    report(bench, 1, "failure");
    expect(bench.record.status).toBe("waiting_for_parallel_tasks");
  });
});

describe("a fan-out with so many places", () => {
  test("begins the next branch, in order, as soon as one has ended", () => {
    const bench = new JobBench(fan(5, { maxConcurrent: 2 }));
    expect(offered(bench)).toEqual(["job-1", "job-2"]);
    report(bench, 2);
    expect(offered(bench)).toEqual(["job-1", "job-2", "job-3"]);
    report(bench, 3, "failure");
    report(bench, 1, "cancelled");
    expect(offered(bench)).toEqual(["job-1", "job-2", "job-3", "job-4", "job-5"]);
    report(bench, 5);
    report(bench, 4);
    expect(bench.record).toMatchObject({
      status: "finished",
      result: ["cancelled", "success", "failure", "success", "success"],
    });
  });

  test("writes only the two branches that changed", () => {
    const bench = new JobBench(fan(3, { maxConcurrent: 1 }));
    const before = bench.record;
    report(bench, 1);
    expect({ ...bench.record, eventSeq: 0 }).toEqual({ ...before, eventSeq: 0 });
    expect([...bench.job.open.values()].map(({ id, queued }) => [id, queued])).toEqual([
      ["job-2", false],
      ["job-3", true],
    ]);
  });

  test("keeps a branch's place while it rests or has lost its worker", () => {
    const bench = new JobBench(fan(2, { maxConcurrent: 1 }));
    report(bench, 1, "failure", "TRANSIENT_ERROR");
    bench.pass(0);
    bench.job.lose("job-1", 2, "worker_gone");
    expect(offered(bench)).toEqual(["job-1", "job-1", "job-1"]);
  });

  test("takes no result of a branch that has not begun", () => {
    expect(report(new JobBench(fan(2, { maxConcurrent: 1 })), 2)).toBe("ignored");
  });

  test("counts a branch's time from when it begins", () => {
    const bench = new JobBench(fan(2, { maxConcurrent: 1 }, { resultTimeoutSeconds: 10 }));
    expect([...bench.job.branches.values()].map((branch) => branch.resultBy)).toEqual([T0 + 10_000, null]);
    expect(bench.job.nextAt).toBe(T0 + 10_000);
    bench.pass(9_000);
    report(bench, 1);
    expect(bench.job.branches.get("job-2")).toMatchObject({ dispatchedAt: T0 + 9_000, resultBy: T0 + 19_000 });
    bench.pass(9_999);
    expect(bench.record.status).toBe("waiting_for_parallel_tasks");
    bench.pass(1);
    expect(bench.record).toMatchObject({ status: "finished", result: ["success", "failure"] });
  });

  test("gives the place of a branch that timed out to the next", () => {
    const bench = new JobBench(fan(3, { maxConcurrent: 1 }, { resultTimeoutSeconds: 10 }));
    bench.pass(10_000);
    expect(offered(bench)).toEqual(["job-1", "job-2"]);
    bench.pass(10_000);
    bench.pass(10_000);
    expect(bench.record).toMatchObject({ status: "finished", result: ["failure", "failure", "failure"] });
  });

  test("may have more places than branches", () => {
    expect(offered(new JobBench(fan(2, { maxConcurrent: 9 })))).toEqual(["job-1", "job-2"]);
  });
});

describe("a fan-out that cannot be", () => {
  test.each([
    ["half a place", { maxConcurrent: 0.5 }],
    ["no place", { maxConcurrent: 0 }],
    ["a word for a truth", { failFast: "yes" as unknown as boolean }],
  ])("for it has %s fails its step and says so", (_, options) => {
    expect(new JobBench(fan(1, options)).record).toMatchObject({
      status: "awaiting_retry",
      error: expect.stringMatching(/^State 'work' fans out in a way that is not valid: /),
    });
  });

  test("for its tasks are no list fails its step and says so", () => {
    const bp = blueprint({ name: "odd", states: ["work", "join", "done"] })
      .start("work", ({ actions }) => actions.dispatchParallel("x" as unknown as [], { aggregateInto: "join" }))
      .aggregator("join", ({ actions }) => actions.transitionTo("done"))
      .end("done");
    expect(new JobBench(bp).record.error).toBe(
      "State 'work' fans out in a way that is not valid: its tasks are not a list",
    );
  });
});
