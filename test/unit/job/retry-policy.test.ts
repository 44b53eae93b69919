import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RetryPolicy } from "../../../src/blueprint/requests.ts";
import { retryDelayMs } from "../../../src/job/retry-policy.ts";

const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe("the wait before a retry", () => {
  test("is a whole number of ms between 0 and 1 s doubled each time, 60 s at most", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), chance, (failures, random) => {
        const delay = retryDelayMs(failures, () => random);
        expect(Number.isInteger(delay)).toBe(true);
        expect(delay).toBeGreaterThanOrEqual(0);
        expect(delay).toBeLessThanOrEqual(Math.min(60_000, 1_000 * 2 ** (failures - 1)));
      }),
    );
  });

  test("grows with chance and never shrinks from one failure to the next", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), chance, chance, (failures, a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        expect(retryDelayMs(failures, () => low)).toBeLessThanOrEqual(retryDelayMs(failures, () => high));
        expect(retryDelayMs(failures, () => a)).toBeLessThanOrEqual(retryDelayMs(failures + 1, () => a));
      }),
    );
  });

  test.each([
    [1, 1_000],
    [2, 2_000],
    [3, 4_000],
    [6, 32_000],
    [7, 60_000],
    [100, 60_000],
  ])("is spread over the whole bound after failure %i: up to %i ms", (failures, bound) => {
    expect(retryDelayMs(failures, () => 0)).toBe(0);
    expect(retryDelayMs(failures, () => 0.5)).toBe(bound / 2);
    expect(retryDelayMs(failures, () => 0.999_999_9)).toBe(bound);
  });
});

describe("a policy of one's own", () => {
  const policy = fc.record(
    {
      initialMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
      maxMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
      factor: fc.double({ min: 1, max: 1e300, noNaN: true }),
    },
    { requiredKeys: [] },
  );

  test("sets the first bound, what it grows by, and the highest", () => {
    const bounds = (own: RetryPolicy) => [1, 2, 3, 4].map((failures) => 2 * retryDelayMs(failures, () => 0.5, own));
    expect(bounds({ initialMs: 100 })).toEqual([100, 200, 400, 800]);
    expect(bounds({ factor: 1 })).toEqual([1_000, 1_000, 1_000, 1_000]);
    expect(bounds({ initialMs: 10, factor: 10, maxMs: 500 })).toEqual([10, 100, 500, 500]);
    expect(bounds({ maxMs: 0 })).toEqual([0, 0, 0, 0]);
  });

  test("always gives a moment that comes, however extreme it is", () => {
    fc.assert(
      fc.property(policy, fc.integer({ min: 1, max: 5_000 }), chance, (own, failures, random) => {
        const delay = retryDelayMs(failures, () => random, own);
        expect(Number.isInteger(delay)).toBe(true);
        expect(delay).toBeGreaterThanOrEqual(0);
        expect(delay).toBeLessThanOrEqual(Math.round(own.maxMs ?? 60_000));
      }),
    );
  });
});
