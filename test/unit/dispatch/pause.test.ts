import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pauseSeconds } from "../../../src/dispatch/pause.ts";
import { QUEUE_RETRIES } from "../../../src/limits.ts";

const attempts = Array.from({ length: QUEUE_RETRIES }, (_, n) => n + 1);
const latest = () => 1 - Number.EPSILON;

describe("the pause before offers are brought to a shard again", () => {
  test("is twice as long each time, up to five minutes", () => {
    expect(attempts.map((attempt) => pauseSeconds(attempt, "away", latest))).toEqual([
      2, 4, 8, 16, 32, 64, 128, 256, 300, 300,
    ]);
  });

  test("is much longer for a shard that has too much to do", () => {
    expect(attempts.slice(0, 5).map((attempt) => pauseSeconds(attempt, "overloaded", latest))).toEqual([
      30, 60, 120, 240, 300,
    ]);
  });

  test("is whole seconds between a half and all of its bound, whatever the attempt", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100_000 }),
        fc.constantFrom("refused", "away", "overloaded"),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (attempt, why, chance) => {
          const pause = pauseSeconds(attempt, why, () => chance);
          const bound = pauseSeconds(attempt, why, latest);
          expect(Number.isInteger(pause)).toBe(true);
          expect(pause).toBeGreaterThanOrEqual(bound / 2);
          expect(pause).toBeLessThanOrEqual(bound);
        },
      ),
    );
  });

  test("adds up to less than the hour in which a shard remembers what was let go", () => {
    for (const why of ["away", "overloaded"] as const) {
      const sum = attempts.reduce((seconds, attempt) => seconds + pauseSeconds(attempt, why, latest), 0);
      expect(sum).toBeLessThan(45 * 60);
    }
  });
});
