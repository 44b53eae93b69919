import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CATCH_UP, decide, type Rules } from "../../../src/schedule/decide.ts";
import { nextOccurrence, nextOccurrences, previousOccurrence, type Timing } from "../../../src/schedule/occurrences.ts";
import { dueTime } from "../../../src/schedule/spread.ts";

const MINUTE = 60_000;
const everyMinute: Timing = {
  recurrence: { kind: "interval", everyMs: MINUTE, anchorAt: 0 },
  startsAt: null,
  endsAt: null,
};
const rules: Rules = { timing: everyMinute, catchUp: "latest", graceMs: 90_000, spreadMs: 0, seed: "alice\ns" };
const minutes = (...numbers: number[]) => numbers.map((number) => number * MINUTE);

describe("what is due", () => {
  test("is nothing before its time", () => {
    expect(decide(rules, 0, MINUTE - 1)).toBeNull();
  });

  test("is run at its time, and the next one is not", () => {
    expect(decide(rules, 0, MINUTE)).toEqual({ run: [MINUTE], passedOver: null, decidedUntil: MINUTE });
  });

  test("is run each, when nothing of it is later than the grace", () => {
    expect(decide({ ...rules, catchUp: "skip" }, 0, 2.5 * MINUTE)).toMatchObject({ run: minutes(1, 2) });
  });
});

describe("after a downtime of ten minutes", () => {
  test("the newest of the missed is run by default", () => {
    const decision = decide(rules, 0, 10.1 * MINUTE);
    expect(decision).toEqual({
      run: minutes(10),
      passedOver: { from: MINUTE, to: 9 * MINUTE },
      decidedUntil: 10 * MINUTE,
    });
  });

  test("those that are on time are run with 'skip'", () => {
    const decision = decide({ ...rules, catchUp: "skip" }, 0, 10.1 * MINUTE);
    expect(decision).toMatchObject({ run: minutes(9, 10), passedOver: { from: MINUTE, to: 8 * MINUTE } });
  });

  test("none is run with 'skip' when all are late", () => {
    const once: Timing = { ...everyMinute, recurrence: { kind: "once", at: MINUTE } };
    const decision = decide({ ...rules, timing: once, catchUp: "skip" }, 0, 10 * MINUTE);
    expect(decision).toEqual({ run: [], passedOver: { from: MINUTE, to: MINUTE }, decidedUntil: MINUTE });
  });

  test("each is run with 'all'", () => {
    const decision = decide({ ...rules, catchUp: "all" }, 0, 10.1 * MINUTE);
    expect(decision).toMatchObject({ run: minutes(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), passedOver: null });
  });

  test("a schedule that comes up once is still run", () => {
    const once: Timing = { ...everyMinute, recurrence: { kind: "once", at: MINUTE } };
    expect(decide({ ...rules, timing: once }, 0, 10 * MINUTE)).toMatchObject({ run: [MINUTE], passedOver: null });
  });
});

test("of a year of seconds the newest hundred are run with 'all', and that takes no time", () => {
  const cron: Timing = {
    ...everyMinute,
    recurrence: { kind: "cron", pattern: "* * * * * *", timeZone: "Europe/Berlin" },
  };
  const now = Date.UTC(2027, 0);
  const decision = decide({ ...rules, timing: cron, catchUp: "all" }, Date.UTC(2026, 0), now);
  expect(decision?.run).toHaveLength(100);
  expect(decision?.run.at(-1)).toBe(now);
  expect(decision?.passedOver).toEqual({ from: Date.UTC(2026, 0) + 1_000, to: now - 100_000 });
});

describe("bounds", () => {
  const bounded: Timing = { ...everyMinute, startsAt: 2 * MINUTE, endsAt: 4 * MINUTE };

  test("belong to what they bound", () => {
    expect(nextOccurrences(bounded, 0, 9)).toEqual(minutes(2, 3, 4));
    expect(previousOccurrence(bounded, 99 * MINUTE)).toBe(4 * MINUTE);
    expect(previousOccurrence(bounded, 2 * MINUTE)).toBeNull();
  });

  test("end a schedule", () => {
    expect(decide({ ...rules, timing: bounded }, 4 * MINUTE, 99 * MINUTE)).toBeNull();
  });

  test("in the past give an interval its beat", () => {
    const hourly: Timing = {
      recurrence: { kind: "interval", everyMs: 60 * MINUTE, anchorAt: 5 * MINUTE },
      startsAt: 5 * MINUTE,
      endsAt: null,
    };
    expect(nextOccurrence(hourly, 1000 * MINUTE)).toBe(1025 * MINUTE);
  });
});

const timing = fc.oneof(
  fc.record({
    recurrence: fc.record({
      kind: fc.constant("interval" as const),
      everyMs: fc.integer({ min: 1, max: 900 }).map((seconds) => seconds * 1_000),
      anchorAt: fc.integer({ min: -1_000_000, max: 1_000_000 }),
    }),
    startsAt: fc.option(fc.integer({ min: -1_000_000, max: 1_000_000 })),
    endsAt: fc.option(fc.integer({ min: 1_000_000, max: 4_000_000 })),
  }),
  fc.record({
    recurrence: fc.record({
      kind: fc.constant("cron" as const),
      pattern: fc.constantFrom("* * * * *", "*/7 * * * *", "*/20 * * * * *", "5,35 * * * *"),
      timeZone: fc.constantFrom("UTC", "Asia/Kathmandu"),
    }),
    startsAt: fc.constant(null),
    endsAt: fc.option(fc.integer({ min: 1_000_000, max: 4_000_000 })),
  }),
);

test("every occurrence that is due is either run or passed over, and none else", () => {
  const spreadMs = fc.oneof(fc.constant(0), fc.integer({ min: 1_000, max: 900_000 }));
  const graceMs = fc.integer({ min: 1_000, max: 600_000 });
  const rulesOf = fc.record({ timing, catchUp: fc.constantFrom(...CATCH_UP), spreadMs, graceMs, seed: fc.string() });
  const from = fc.integer({ min: -500_000, max: 500_000 });
  const away = fc.integer({ min: 0, max: 3_000_000 });
  fc.assert(
    fc.property(rulesOf, from, away, (given, decidedUntil, awayMs) => {
      const now = decidedUntil + awayMs;
      const due = nextOccurrences(given.timing, decidedUntil, 5_000).filter(
        (at) => at <= now && dueTime(given.timing, given, at) <= now,
      );
      const decision = decide(given, decidedUntil, now);
      if (decision === null) {
        expect(due).toEqual([]);
        return;
      }
      const { run, passedOver } = decision;
      const left = due.filter((at) => passedOver !== null && at >= passedOver.from && at <= passedOver.to);
      expect([...left, ...run]).toEqual(due);
      expect(decision.decidedUntil).toBe(due.at(-1));
      expect(run.length).toBeLessThanOrEqual(100);
      if (passedOver !== null) expect([left.at(0), left.at(-1)]).toEqual([passedOver.from, passedOver.to]);
    }),
  );
});

describe("the spread", () => {
  const spread = { spreadMs: 45_000, seed: "alice\nnightly" };

  test("puts an occurrence off by the same time whenever it is asked, before the next one", () => {
    fc.assert(
      fc.property(timing, fc.integer({ min: 1, max: 900_000 }), fc.string(), (given, spreadMs, seed) => {
        const [one, other] = nextOccurrences(given, 0, 2);
        if (one === undefined) return;
        const due = dueTime(given, { spreadMs, seed }, one);
        expect(due).toBeGreaterThanOrEqual(one);
        expect(due).toBeLessThan(Math.min(one + spreadMs, other ?? Infinity));
        expect(dueTime(given, { spreadMs, seed }, one)).toBe(due);
      }),
    );
  });

  test("is even", () => {
    const offsets = nextOccurrences(everyMinute, 0, 900).map((at) => dueTime(everyMinute, spread, at) - at);
    for (let part = 0; part < 3; part += 1) {
      const inPart = offsets.filter((offset) => Math.floor(offset / 15_000) === part).length;
      expect(inPart).toBeGreaterThan(240);
      expect(inPart).toBeLessThan(360);
    }
  });

  test("differs between schedules", () => {
    const offset = (name: string) => dueTime(everyMinute, { ...spread, seed: name }, MINUTE);
    expect(new Set(Array.from({ length: 50 }, (_, number) => offset(`s-${number}`))).size).toBeGreaterThan(45);
  });
});
