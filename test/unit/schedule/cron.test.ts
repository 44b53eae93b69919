import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cronFault, nextCron, previousCron } from "../../../src/schedule/cron.ts";

const HOUR = 3_600_000;

/** The next times a pattern comes up, in UTC. */
function ahead(pattern: string, timeZone: string, after: string, count: number): string[] {
  const times: string[] = [];
  let at: number | null = Date.parse(after);
  while (times.length < count) {
    at = nextCron(pattern, timeZone, at);
    if (at === null) break;
    times.push(new Date(at).toISOString());
  }
  return times;
}

describe("a time that the clocks leave out in spring", () => {
  test("comes right after the gap when it is a time of the day", () => {
    const days = ["2026-03-28T01:30:00.000Z", "2026-03-29T01:00:00.000Z", "2026-03-30T00:30:00.000Z"];
    expect(ahead("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00Z", 3)).toEqual(days);
  });

  test("comes right after the gap when it is one of several times of the day", () => {
    const times = ["2026-03-29T01:00:00.000Z", "2026-03-29T12:30:00.000Z", "2026-03-30T00:30:00.000Z"];
    expect(ahead("30 2,14 * * *", "Europe/Berlin", "2026-03-28T14:00Z", 3)).toEqual(times);
  });

  test("comes right after the gap also where the gap is at midnight", () => {
    const days = ["2026-09-05T04:00:00.000Z", "2026-09-06T04:00:00.000Z", "2026-09-07T03:00:00.000Z"];
    expect(ahead("0 0 * * *", "America/Santiago", "2026-09-05T00:00Z", 3)).toEqual(days);
  });

  test("is left out by a pattern that counts", () => {
    const times = ["2026-03-29T00:40:00.000Z", "2026-03-29T01:00:00.000Z", "2026-03-29T01:20:00.000Z"];
    expect(ahead("*/20 * * * *", "Europe/Berlin", "2026-03-29T00:20Z", 3)).toEqual(times);
  });
});

describe("a time that the clocks repeat in autumn", () => {
  test("comes once when it is a time of the day", () => {
    const days = ["2026-10-24T00:30:00.000Z", "2026-10-25T00:30:00.000Z", "2026-10-26T01:30:00.000Z"];
    expect(ahead("30 2 * * *", "Europe/Berlin", "2026-10-24T00:00Z", 3)).toEqual(days);
    const several = ["2026-10-25T00:30:00.000Z", "2026-10-25T13:30:00.000Z"];
    expect(ahead("30 2,14 * * *", "Europe/Berlin", "2026-10-24T13:00Z", 2)).toEqual(several);
  });

  test("comes in both passes when the pattern counts", () => {
    const times = ["2026-10-25T00:30:00.000Z", "2026-10-25T01:00:00.000Z", "2026-10-25T01:30:00.000Z"];
    expect(ahead("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:00Z", 3)).toEqual(times);
  });
});

const ZONES = ["UTC", "Europe/Berlin", "America/New_York", "America/Santiago", "Australia/Lord_Howe", "Asia/Kathmandu"];
/** Each of these zones changes its clocks near some of them. */
const NEAR = ["2026-03-08", "2026-03-29", "2026-04-05", "2026-09-06", "2026-10-04", "2026-10-25", "2026-11-01"];

const field = (max: number, min = 0) =>
  fc.oneof(
    fc.constant("*"),
    fc.integer({ min, max }).map(String),
    fc.integer({ min: 2, max: 30 }).map((step) => `*/${Math.min(step, max)}`),
    fc.uniqueArray(fc.integer({ min, max }), { minLength: 2, maxLength: 3 }).map((list) => list.join(",")),
  );
const pattern = fc
  .tuple(
    field(59),
    fc.oneof(field(23), fc.constantFrom("0", "1", "2", "3")),
    fc.constantFrom("*", "*/2", "1-7"),
    fc.constant("*"),
    fc.constantFrom("*", "1-5", "0"),
  )
  .map((fields) => fields.join(" "));
const moment = fc
  .tuple(fc.constantFrom(...NEAR), fc.integer({ min: -36 * HOUR, max: 36 * HOUR }))
  .map(([day, offset]) => Date.parse(day) + offset);

describe("near changes of the clocks", () => {
  test("each occurrence comes after the one before it", () => {
    fc.assert(
      fc.property(pattern, fc.constantFrom(...ZONES), moment, (cron, zone, from) => {
        let before = from;
        for (let count = 0; count < 20; count += 1) {
          const at = nextCron(cron, zone, before);
          if (at === null) throw new Error("Each of these patterns comes up again.");
          expect(at).toBeGreaterThan(before);
          before = at;
        }
      }),
    );
  });

  test("the occurrences are the same forwards and backwards", () => {
    fc.assert(
      fc.property(pattern, fc.constantFrom(...ZONES), moment, (cron, zone, from) => {
        const until = from + 30 * HOUR;
        const forwards: number[] = [];
        for (let at = nextCron(cron, zone, from); at !== null && at <= until; at = nextCron(cron, zone, at)) {
          forwards.push(at);
          if (forwards.length === 60) break;
        }
        const backwards: number[] = [];
        const last = forwards.at(-1);
        if (last === undefined) return;
        for (let at = previousCron(cron, zone, last + 1); at !== null && at > from; at = previousCron(cron, zone, at)) {
          backwards.push(at);
        }
        expect(backwards.toReversed()).toEqual(forwards);
      }),
    );
  });
});

describe("what cannot be used is said in words", () => {
  test.for([
    ["61 * * * *", "UTC", "cron", /minute/],
    ["* * *", "UTC", "cron", /parts/],
    ["2027-01-01T00:00:00Z", "UTC", "cron", /not a pattern/],
    ["0 0 * * *", "Mars/Olympus", "time_zone", /Mars\/Olympus/],
  ] as const)("%s in %s", ([cron, zone, field, text]) => {
    expect(cronFault(cron, zone)).toEqual({ field, text: expect.stringMatching(text) });
  });

  test.for(["0 2 * * *", "*/5 9-17 * * MON-FRI", "30 0 2 * * *", "0 12 L * *", "0 9 * * MON#1", "@daily"])(
    "but not %s",
    (cron) => expect(cronFault(cron, "Europe/Berlin")).toBeNull(),
  );
});

test("a pattern that fits no date never comes up", () => {
  expect(nextCron("0 0 30 2 *", "UTC", Date.UTC(2026, 0))).toBeNull();
  expect(previousCron("0 0 30 2 *", "UTC", Date.UTC(2026, 0))).toBeNull();
});
