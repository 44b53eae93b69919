import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nextDeadline } from "../../../src/job/deadlines.ts";
import { branchOf, fannedOutJob, freshJob, runningJob, T0, waitingJob } from "../../support/job-builders.ts";

describe("the next deadline of a job", () => {
  test.each([
    ["its wake-up", runningJob({ wakeAt: T0 + 1 }), T0 + 1],
    ["its check with the registry", waitingJob({}, { checkAt: T0 + 2 }), T0 + 2],
    ["the retry of its task", waitingJob({ retryAt: T0 + 1 }, { checkAt: T0 + 2 }), T0 + 1],
    ["its unsent history", freshJob(undefined, { wakeAt: null, updatedAt: T0 }), T0 + 60_000],
  ])("may be %s", (_, job, expected) => {
    expect(nextDeadline(job, [], 60_000)).toBe(expected);
  });

  test("may be the retry of any branch", () => {
    const branches = [branchOf(1), branchOf(2, { retryAt: T0 + 7 }), branchOf(3, { retryAt: T0 + 5 })];
    expect(nextDeadline(fannedOutJob(3), branches, 60_000)).toBe(T0 + 5);
  });

  test.each(["finished", "failed", "quarantined", "cancelled"] as const)("is none once it is %s", (status) => {
    const job = freshJob(undefined, { status, wakeAt: T0, checkAt: T0 });
    expect(nextDeadline(job, [branchOf(1, { retryAt: T0 })], 60_000)).toBeNull();
  });

  test("is the earliest of all there are", () => {
    const at = fc.option(fc.integer({ min: T0, max: T0 + 1_000_000 }));
    fc.assert(
      fc.property(at, at, at, fc.array(at, { maxLength: 5 }), (wakeAt, checkAt, retryAt, retries) => {
        const job = waitingJob({ retryAt }, { wakeAt, checkAt });
        const branches = retries.map((each, index) => branchOf(index + 1, { retryAt: each }));
        const set = [wakeAt, checkAt, retryAt, ...retries].filter((each) => each !== null);
        expect(nextDeadline(job, branches, 60_000)).toBe(set.length === 0 ? null : Math.min(...set));
      }),
    );
  });
});
