import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nextOccurrence } from "../../../src/schedule/occurrences.ts";
import { timingOf } from "../../../src/schedule/schedule.ts";
import { buildSchedule } from "../../support/schedule-builders.ts";
import { type CutOff, ScheduleModel } from "../../support/schedule-model.ts";

/** Just before the clocks go back in Berlin. */
const BEGIN = Date.UTC(2026, 9, 24, 22, 30);
const SECOND = 1_000;

type Step =
  | { readonly do: "alarm"; readonly after: number; readonly cutOff: CutOff }
  | { readonly do: "end-jobs" | "pause" | "resume"; readonly after: number };

const seconds = (max: number) => fc.integer({ min: 0, max }).map((count) => count * SECOND);
const alarm = (longestAway: number) =>
  fc.record({
    do: fc.constant("alarm" as const),
    after: seconds(longestAway),
    cutOff: fc.constantFrom<CutOff>("never", "after-taking", "after-creating"),
  });
const other = fc.record({
  do: fc.constantFrom("end-jobs", "pause", "resume"),
  after: seconds(300),
}) as fc.Arbitrary<Step>;

/** None comes up more often than once a minute: no more than a hundred may be missed, or wait, before some are left out. */
const times = fc.oneof(
  fc.record({ every_seconds: fc.integer({ min: 60, max: 900 }) }),
  fc.record({
    cron: fc.constantFrom("* * * * *", "*/7 * * * *", "30 2 * * *", "15 0-4 * * *"),
    time_zone: fc.constantFrom("UTC", "Europe/Berlin"),
  }),
  fc.record({ at: fc.integer({ min: 1, max: 7200 }).map((at) => new Date(BEGIN + at * SECOND).toISOString()) }),
);

/** Plays the steps, then lets everything that waits be done. @returns the model and the time of its end */
function play(fields: object, steps: readonly Step[]): { model: ScheduleModel; now: number } {
  const model = new ScheduleModel(buildSchedule({ ...fields }, BEGIN));
  let now = BEGIN;
  for (const step of steps) {
    now += step.after;
    if (step.do === "alarm") model.alarm(now, step.cutOff);
    else if (step.do === "end-jobs") model.endJobs();
    else if (step.do === "pause") model.pause(now);
    else model.resume(now);
  }
  model.resume(now);
  do {
    model.endJobs();
    now = Math.max(now, model.progress.lookAt);
    model.alarm(now);
  } while (model.progress.waiting.length > 0);
  return { model, now };
}

function occurrences({ schedule }: ScheduleModel, until: number): number[] {
  const timing = timingOf(schedule.spec, schedule.createdAt);
  const found: number[] = [];
  for (let at = nextOccurrence(timing, BEGIN); at !== null && at <= until; at = nextOccurrence(timing, at))
    found.push(at);
  return found;
}

describe("whatever is cut off, however long nobody is there", () => {
  test("each occurrence is one job when each missed one is to be run", () => {
    const steps = fc.array(alarm(400), { maxLength: 14 });
    fc.assert(
      fc.property(times, fc.constantFrom("allow", "queue"), steps, (given, overlap, played) => {
        const { model } = play({ ...given, catch_up: "all", overlap }, played);
        const expected = occurrences(model, model.progress.decidedUntil);
        expect([...model.jobs.keys()].toSorted((one, two) => one - two)).toEqual(expected);
        expect([...model.noted.values()].map((run) => [run.outcome, run.occurrence])).toEqual(
          expected.map((at) => ["started", at]),
        );
      }),
    );
  });

  test("each occurrence is either one job, noted once, or left out, noted with the reason", () => {
    const policies = fc.record({
      catch_up: fc.constantFrom("skip", "latest", "all"),
      overlap: fc.constantFrom("skip", "queue", "allow"),
      grace_seconds: fc.constantFrom(1, 60, 600),
      jitter_seconds: fc.constantFrom(0, 0, 20, 1_000),
    });
    const steps = fc.array(fc.oneof({ weight: 3, arbitrary: alarm(1_500) }, { weight: 1, arbitrary: other }), {
      maxLength: 25,
    });
    const often = fc.record({ cron: fc.constant("*/30 * * * * *") });
    fc.assert(
      fc.property(fc.oneof(times, often), policies, steps, (given, policy, played) => {
        const { model } = play({ ...given, ...policy }, played);
        const runs = [...model.noted.values()];
        for (const at of occurrences(model, model.progress.decidedUntil)) {
          const notedAs = runs.filter((run) =>
            run.outcome === "skipped" ? run.from <= at && at <= run.occurrence : run.occurrence === at,
          );
          expect(notedAs.map((run) => run.outcome)).toEqual([model.jobs.has(at) ? "started" : "skipped"]);
        }
        expect(runs.filter((run) => run.outcome === "started")).toHaveLength(model.jobs.size);
      }),
    );
  });
});
