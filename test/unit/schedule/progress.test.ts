import { describe, expect, test } from "vitest";
import {
  failed,
  inTrouble,
  newProgress,
  paused,
  replaced,
  resumed,
  skipped,
  started,
  startedByHand,
  takeDue,
  waitForJob,
  wakeTime,
} from "../../../src/schedule/progress.ts";
import type { Progress, Schedule } from "../../../src/schedule/schedule.ts";
import { buildSchedule } from "../../support/schedule-builders.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const schedule = buildSchedule();
const fresh = newProgress(0);
const outcomes = (progress: Progress) =>
  progress.runs.map((run) => (run.outcome === "skipped" ? `${run.reason} ${run.from}-${run.occurrence}` : run.outcome));

/** Takes one occurrence after the other and does something with each. */
function each(count: number, settle: (progress: Progress, occurrence: number) => Progress, from = fresh): Progress {
  let progress = from;
  for (let number = 0; number < count; number += 1) {
    const now = progress.decidedUntil + MINUTE;
    progress = takeDue(schedule, progress, now);
    progress = settle(progress, now);
  }
  return progress;
}

describe("what has come due", () => {
  test("waits to be run, and the schedule wakes for it", () => {
    expect(wakeTime(schedule, fresh)).toBe(MINUTE);
    const due = takeDue(schedule, fresh, MINUTE);
    expect(due.waiting).toEqual([MINUTE]);
    expect(wakeTime(schedule, due)).toBeLessThanOrEqual(MINUTE);
    expect(wakeTime(schedule, started(due, MINUTE, "job", MINUTE))).toBe(2 * MINUTE);
  });

  test("is left out once a hundred wait", () => {
    const full = each(102, (progress) => progress);
    expect(full.waiting).toHaveLength(100);
    expect(outcomes(full)).toEqual([`queue_full ${101 * MINUTE}-${102 * MINUTE}`]);
  });

  test("is nothing while it is not", () => {
    expect(takeDue(schedule, fresh, MINUTE - 1)).toBe(fresh);
  });
});

describe("the memory of a schedule", () => {
  test("holds the last fifty runs", () => {
    const progress = each(60, (due, at) => started(due, at, `job-${at}`, at));
    expect(progress.runs).toHaveLength(50);
    expect(progress.runs.at(-1)).toMatchObject({ occurrence: 60 * MINUTE, jobId: `job-${60 * MINUTE}` });
  });

  test("holds a row of occurrences that were left out as one", () => {
    const first = each(1, (due, at) => started(due, at, "job", at));
    const progress = each(70, (due, at) => skipped(schedule, due, at, "overlap", at), first);
    expect(outcomes(progress)).toEqual(["started", `overlap ${2 * MINUTE}-${71 * MINUTE}`]);
  });

  test("tells rows of different reasons apart, and rows with a run between them", () => {
    let progress = each(2, (due, at) => skipped(schedule, due, at, "overlap", at));
    progress = each(1, (due, at) => skipped(schedule, due, at, "quota", at), progress);
    progress = each(1, (due, at) => started(due, at, "job", at), progress);
    progress = each(1, (due, at) => skipped(schedule, due, at, "quota", at), progress);
    expect(outcomes(progress)).toEqual([
      `overlap ${MINUTE}-${2 * MINUTE}`,
      `quota ${3 * MINUTE}-${3 * MINUTE}`,
      "started",
      `quota ${5 * MINUTE}-${5 * MINUTE}`,
    ]);
  });

  test("holds a run by hand once, however often it is asked for", () => {
    const once = startedByHand(fresh, "job", MINUTE);
    expect(once.runs).toEqual([{ outcome: "started", by: "hand", occurrence: MINUTE, jobId: "job", at: MINUTE }]);
    expect(startedByHand(once, "job", 2 * MINUTE)).toBe(once);
    expect(once.open).toEqual(["job"]);
  });

  test("holds why an occurrence failed, and goes on", () => {
    const fault = { reason: "blueprint_missing", error: "It is gone." } as const;
    const progress = failed(takeDue(schedule, fresh, MINUTE), MINUTE, fault, MINUTE);
    expect(progress.runs).toEqual([{ outcome: "failed", occurrence: MINUTE, ...fault, at: MINUTE }]);
    expect(wakeTime(schedule, progress)).toBe(2 * MINUTE);
  });
});

describe("an occurrence that cannot be run yet", () => {
  const due = takeDue(schedule, fresh, MINUTE);
  const pauses = (putOff: (progress: Progress, now: number) => Progress, count: number) => {
    const found: number[] = [];
    let progress = due;
    for (let now = MINUTE; found.length < count; now = progress.lookAt) {
      progress = putOff(progress, now);
      found.push((progress.lookAt - now) / 1_000);
    }
    return found;
  };

  test("is looked at again soon, and then every ten seconds, while it waits for a job", () => {
    expect(pauses(waitForJob, 6)).toEqual([1, 2, 4, 8, 10, 10]);
  });

  test("is tried again with growing pauses when something goes wrong", () => {
    const trouble = (progress: Progress, now: number) => inTrouble(progress, MINUTE, "away", now);
    expect(pauses(trouble, 11)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
  });

  test("has failed when it went wrong for a day", () => {
    const trouble = inTrouble(due, MINUTE, "away", MINUTE);
    expect(inTrouble(trouble, MINUTE, "away", MINUTE + 24 * HOUR)).toMatchObject({
      waiting: [],
      troubleSince: null,
      runs: [{ outcome: "failed", reason: "create_failed", error: "away" }],
    });
  });
});

describe("a pause", () => {
  test("leaves out what waits, what is due and what comes up meanwhile", () => {
    const before = takeDue(schedule, fresh, MINUTE);
    const still = paused(schedule, before, null, 2 * MINUTE);
    expect(still).toMatchObject({ waiting: [], pausedAt: 2 * MINUTE });
    expect(wakeTime(schedule, still)).toBeNull();
    const after = resumed(schedule, still, 5 * MINUTE);
    expect(outcomes(after)).toEqual([`paused ${MINUTE}-${5 * MINUTE}`]);
    expect(wakeTime(schedule, after)).toBe(6 * MINUTE);
  });

  test("does not leave out what has its job already", () => {
    const still = paused(schedule, takeDue(schedule, fresh, MINUTE), "job", 1.5 * MINUTE);
    expect(still.runs).toMatchObject([{ outcome: "started", jobId: "job", occurrence: MINUTE }]);
  });

  test("is the same pause when it is asked for again, and so is its end", () => {
    const still = paused(schedule, fresh, null, MINUTE);
    expect(paused(schedule, still, null, 2 * MINUTE)).toBe(still);
    expect(resumed(schedule, fresh, MINUTE)).toBe(fresh);
  });
});

describe("a schedule that is written anew", () => {
  const hourly: Schedule = { ...schedule, spec: { ...schedule.spec, every_seconds: 3600 } };

  test("still runs what was due by then, and nothing of the past by its new times", () => {
    const progress = replaced(hourly, fresh, HOUR);
    expect(progress).toMatchObject({ waiting: [HOUR], decidedUntil: HOUR });
    expect(takeDue(schedule, progress, HOUR)).toBe(progress);
    expect(wakeTime(schedule, { ...progress, waiting: [] })).toBe(HOUR + MINUTE);
  });

  test("stays paused", () => {
    const still = paused(schedule, fresh, null, 0);
    expect(replaced(schedule, still, HOUR)).toMatchObject({ pausedAt: 0, waiting: [], decidedUntil: HOUR });
  });

  test("runs at once what was only being spread", () => {
    const spread = buildSchedule({ every_seconds: 3600, jitter_seconds: 3599 });
    expect(takeDue(spread, fresh, HOUR).waiting).toEqual([]);
    expect(replaced(spread, fresh, HOUR).waiting).toEqual([HOUR]);
  });
});
