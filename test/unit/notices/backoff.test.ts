import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_TRIES, pauseAfter, retryAfter } from "../../../src/notices/backoff.ts";

const NOW = Date.UTC(2026, 10, 22, 12);
const tries = fc.integer({ min: 1, max: MAX_TRIES - 1 });

describe("the pause after a try that failed", () => {
  test("grows from seconds to half a day, and after the tenth there is none", () => {
    const pauses = Array.from({ length: MAX_TRIES }, (_, index) => pauseAfter(index + 1, null));
    expect(pauses).toEqual([5, 30, 120, 600, 1_800, 3_600, 10_800, 21_600, 43_200, null]);
  });

  test("is as long as the receiver asks, but neither shorter than without asking nor longer than half a day", () => {
    fc.assert(
      fc.property(tries, fc.nat({ max: 10_000_000 }), (tried, asked) => {
        const own = pauseAfter(tried, null) ?? Infinity;
        expect(pauseAfter(tried, asked)).toBe(Math.min(Math.max(own, asked), 43_200));
      }),
    );
  });

  test("does not come back by asking", () => {
    expect(pauseAfter(MAX_TRIES, 5)).toBeNull();
    expect(pauseAfter(MAX_TRIES + 3, 5)).toBeNull();
  });
});

describe("a Retry-After header", () => {
  test("counts seconds", () => {
    expect(retryAfter("120", NOW)).toBe(120);
    expect(retryAfter(" 0 ", NOW)).toBe(0);
  });

  test("or names a moment, which may have passed", () => {
    expect(retryAfter("Sun, 22 Nov 2026 12:01:30 GMT", NOW)).toBe(90);
    expect(retryAfter("Sun, 22 Nov 2026 11:00:00 GMT", NOW)).toBe(0);
  });

  test("or is neither", () => {
    for (const header of [null, "", "soon", "-", "NaN"]) expect(retryAfter(header, NOW)).toBeNull();
  });

  test("never makes a pause that is no whole number of seconds", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.integer().map(String), fc.double().map(String)), tries, (header, tried) => {
        const pause = pauseAfter(tried, retryAfter(header, NOW));
        expect(pause).toSatisfy((value: number) => Number.isInteger(value) && value >= 5 && value <= 43_200);
      }),
    );
  });
});
