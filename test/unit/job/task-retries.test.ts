import { blueprint, type CompleteBlueprint, type TaskRequest } from "batuta";
import { describe, expect, test } from "vitest";
import type { RetryPolicy } from "../../../src/blueprint/requests.ts";
import { JobBench } from "../../support/job-bench.ts";
import { resultOf } from "../../support/job-builders.ts";

const BUSY = resultOf({ status: "failure", error: "busy" });

function working(task: Partial<TaskRequest>, retry?: RetryPolicy): CompleteBlueprint {
  return blueprint({ name: "working", states: ["work", "done"], ...(retry === undefined ? {} : { retry }) })
    .start("work", ({ actions }) => actions.dispatchTask({ type: "x", ...task, transitions: { success: "done" } }))
    .end("done");
}

/** Lets the job's task fail again and again, and says how long it rested each time, ms. */
function restsOf(bench: JobBench): number[] {
  const rests: number[] = [];
  while (bench.record.task !== null) {
    bench.job.report(BUSY);
    const { task } = bench.record;
    if (task === null) break;
    rests.push((task.retryAt ?? 0) - bench.now);
    bench.pass(rests.at(-1) ?? 0);
  }
  return rests;
}

function ended(bench: JobBench) {
  const { status, error } = bench.record;
  return { status, error };
}

describe("how often a task is tried", () => {
  test("is the deployment's to say where nobody else does", () => {
    const bench = new JobBench(working({}), { settings: { maxRetries: 2 } });
    expect(restsOf(bench)).toEqual([500, 1_000]);
    expect(ended(bench)).toEqual({ status: "quarantined", error: "Task failed after 3 attempts: busy" });
  });

  test("is the blueprint's to say for all its tasks", () => {
    const bench = new JobBench(working({}, { maxAttempts: 2, initialMs: 20 }));
    expect(restsOf(bench)).toEqual([10]);
    expect(ended(bench).error).toBe("Task failed after 2 attempts: busy");
  });

  test("is each task's to say for itself, one part at a time", () => {
    const retry = { maxAttempts: 5, factor: 3 };
    const bench = new JobBench(working({ retry }, { maxAttempts: 2, initialMs: 20, maxMs: 300 }));
    expect(restsOf(bench)).toEqual([10, 30, 90, 150]);
    expect(ended(bench).error).toBe("Task failed after 5 attempts: busy");
  });

  test("may be once", () => {
    const bench = new JobBench(working({ retry: { maxAttempts: 1 } }));
    expect(restsOf(bench)).toEqual([]);
    expect(ended(bench).error).toBe("Task failed after 1 attempts: busy");
  });

  test("does not count attempts whose worker was lost", () => {
    const bench = new JobBench(working({ retry: { maxAttempts: 2 } }));
    for (const attempt of [1, 2, 3]) bench.job.lose("job-1", attempt, "worker_gone");
    expect(bench.record.task).toMatchObject({ attempt: 4, failures: 0, losses: 3 });
    expect(restsOf(bench)).toHaveLength(1);
  });
});

describe("a fan-out", () => {
  const fan = blueprint({ name: "fan", states: ["work", "join", "done"], retry: { initialMs: 0 } })
    .start("work", ({ actions }) =>
      actions.dispatchParallel(
        [
          { type: "x", retry: { maxAttempts: 3 } },
          { type: "y", retry: { maxAttempts: 1 } },
        ],
        {
          aggregateInto: "join",
        },
      ),
    )
    .aggregator("join", ({ aggregationResults, actions }) =>
      actions.transitionTo("done", { attempts: aggregationResults.all.map((result) => result.attempt) }),
    )
    .end("done");

  test("retries each branch on a counter and by a policy of its own", () => {
    const bench = new JobBench(fan);
    for (const taskId of ["job-1", "job-2", "job-1", "job-2", "job-1"]) {
      bench.job.report({ ...BUSY, taskId });
      bench.pass(0);
    }
    expect(bench.record).toMatchObject({ status: "finished", result: { attempts: [3, 1] } });
  });
});

test("every attempt is in the history with its error", () => {
  const bench = new JobBench(working({ retry: { maxAttempts: 2 } }));
  restsOf(bench);
  const attempts = bench.job.events.filter((event) => event.event_type === "task_finished");
  expect(attempts.map(({ attempt_number, error }) => [attempt_number, error])).toEqual([
    [1, "TRANSIENT_ERROR: busy"],
    [2, "TRANSIENT_ERROR: busy"],
  ]);
});

test("a retry that is overdue goes out at once, and may wait for a worker as long as any", () => {
  const bench = new JobBench(working({ dispatchTimeoutSeconds: 10 }));
  bench.job.report(BUSY);
  bench.pass(3_600_000);
  expect(bench.offers.map(({ attempt, dispatchedAt, dispatchBy }) => [attempt, dispatchedAt, dispatchBy])).toEqual([
    [1, bench.now - 3_600_000, bench.now - 3_590_000],
    [2, bench.now, bench.now + 10_000],
  ]);
  expect(bench.record.status).toBe("waiting_for_worker");
});
