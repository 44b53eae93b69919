import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nextDeadline } from "../../../src/job/deadlines.ts";
import type { JobRecord } from "../../../src/job/record.ts";
import {
  branchOf,
  cancellingJob,
  fannedOutJob,
  freshJob,
  humanWait,
  pausedJob,
  runningJob,
  T0,
  waitingJob,
} from "../../support/job-builders.ts";

function asleep(until: number | null, over: Partial<JobRecord> = {}): JobRecord {
  return runningJob({ status: "waiting_for_human", wait: humanWait({ until }), wakeAt: null, ...over });
}

describe("the next deadline of a job", () => {
  test.each([
    ["its wake-up", runningJob({ wakeAt: T0 + 1 }), T0 + 1],
    ["its check with the registry", waitingJob({}, { checkAt: T0 + 2 }), T0 + 2],
    ["the retry of its task", waitingJob({ retryAt: T0 + 1 }, { checkAt: T0 + 2 }), T0 + 1],
    ["the last moment for a worker to take its task", waitingJob({ dispatchBy: T0 + 1 }), T0 + 1],
    ["the last moment for its task's result", waitingJob({ resultBy: T0 + 1, retryAt: T0 + 9 }), T0 + 1],
    ["the end of its wait", asleep(T0 + 1), T0 + 1],
    ["the end of the whole job", asleep(null, { deadlineAt: T0 + 1 }), T0 + 1],
    ["its unsent history", freshJob(undefined, { wakeAt: null, updatedAt: T0 }), T0 + 60_000],
    ["what else is to leave it", asleep(null, { notices: [{ kind: "tell_parent" }] }), T0 + 60_000],
    ["the end of its grace", cancellingJob({ until: T0 + 1 }), T0 + 1],
  ])("may be %s", (_, job, expected) => {
    expect(nextDeadline(job, [], 60_000)).toBe(expected);
  });

  test("may be the retry of any branch", () => {
    const branches = [branchOf(1), branchOf(2, { retryAt: T0 + 7 }), branchOf(3, { retryAt: T0 + 5 })];
    expect(nextDeadline(fannedOutJob(3), branches, 60_000)).toBe(T0 + 5);
  });

  test("is not the hand-over of an attempt that is not out yet", () => {
    expect(nextDeadline(waitingJob({ dispatchBy: T0 + 1, retryAt: T0 + 9 }), [], 60_000)).toBe(T0 + 9);
  });

  test.each(["finished", "failed", "quarantined", "cancelled"] as const)("is none once it is %s", (status) => {
    const job = freshJob(undefined, { status, wakeAt: T0, checkAt: T0 });
    expect(nextDeadline(job, [branchOf(1, { retryAt: T0 })], 60_000)).toBeNull();
  });

  test("is none while it waits for somebody who may take for ever", () => {
    expect(nextDeadline(asleep(null), [], 60_000)).toBeNull();
  });

  test("is only that of its outbox while it is paused", () => {
    const paused = pausedJob(T0, waitingJob({ retryAt: T0 + 1, resultBy: T0 + 1 }, { deadlineAt: T0 + 1 }));
    expect(nextDeadline(paused, [], 60_000)).toBeNull();
    expect(nextDeadline({ ...paused, notices: [{ kind: "tell_parent" }] }, [], 60_000)).toBe(T0 + 60_000);
  });

  test("is nothing but the end of its grace while it is being cancelled", () => {
    const job = cancellingJob({ until: T0 + 50 }, { deadlineAt: T0 + 1, checkAt: T0 + 1 });
    expect(nextDeadline(job, [], 60_000)).toBe(T0 + 50);
  });

  test("is the earliest of all there are", () => {
    const at = fc.option(fc.integer({ min: T0, max: T0 + 1_000_000 }));
    const three = fc.record({ retryAt: at, dispatchBy: at, resultBy: at });
    fc.assert(
      fc.property(at, at, at, fc.array(three, { maxLength: 5 }), (wakeAt, checkAt, deadlineAt, tasks) => {
        const branches = tasks.map((times, index) => branchOf(index + 1, times));
        const times = tasks.flatMap(({ retryAt, dispatchBy, resultBy }) => [
          retryAt,
          resultBy,
          retryAt === null ? dispatchBy : null,
        ]);
        const set = [wakeAt, checkAt, deadlineAt, ...times].filter((each) => each !== null);
        const first = set.length === 0 ? null : Math.min(...set);
        const job = fannedOutJob(branches.length, { wakeAt, checkAt, deadlineAt });
        expect(nextDeadline(job, branches, 60_000)).toBe(first);
        const [single] = tasks;
        if (single === undefined || tasks.length > 1) return;
        expect(nextDeadline(waitingJob(single, { wakeAt, checkAt, deadlineAt }), [], 60_000)).toBe(first);
      }),
    );
  });
});
