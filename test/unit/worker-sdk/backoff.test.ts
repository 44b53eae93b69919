import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  atLeastRetryAfter,
  decorrelatedDelay,
  exponentialDelay,
  MAX_RETRY_AFTER_MS,
  parseRetryAfter,
} from "../../../worker-sdk/src/backoff.ts";

const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const bounds = fc
  .tuple(fc.integer({ min: 1, max: 10_000 }), fc.integer({ min: 1, max: 100_000 }))
  .map(([a, b]) => ({ baseMs: Math.min(a, b), capMs: Math.max(a, b) }));

describe("exponentialDelay", () => {
  it("stays in the upper half of a step that doubles up to the cap", () => {
    fc.assert(
      fc.property(fc.nat(2_000), bounds, chance, (failures, { baseMs, capMs }, random) => {
        const delay = exponentialDelay(failures, { baseMs, capMs }, () => random);
        const step = Math.min(capMs, baseMs * 2 ** failures);
        expect(delay).toBeGreaterThanOrEqual(step / 2);
        expect(delay).toBeLessThanOrEqual(step);
      }),
    );
  });
});

describe("decorrelatedDelay", () => {
  it("never leaves its bounds, however long the chain", () => {
    fc.assert(
      fc.property(bounds, fc.array(chance, { maxLength: 50 }), ({ baseMs, capMs }, randoms) => {
        let delay = 0;
        for (const random of randoms) {
          const next = decorrelatedDelay(delay, { baseMs, capMs }, () => random);
          expect(next).toBeGreaterThanOrEqual(baseMs);
          expect(next).toBeLessThanOrEqual(Math.min(capMs, Math.max(baseMs, delay) * 3));
          delay = next;
        }
      }),
    );
  });
});

describe("atLeastRetryAfter", () => {
  it("waits as long as asked, a tenth longer at most, unless the own delay is longer still", () => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.integer({ min: 1, max: MAX_RETRY_AFTER_MS }), chance, (own, asked, random) => {
        const delay = atLeastRetryAfter(own, asked, () => random);
        expect(delay).toBeGreaterThanOrEqual(Math.max(own, asked));
        expect(delay).toBeLessThanOrEqual(Math.max(own, asked * 1.1));
      }),
    );
  });

  it("does not believe in hours", () => {
    expect(atLeastRetryAfter(0, 86_400_000, () => 0)).toBe(MAX_RETRY_AFTER_MS);
  });

  it("keeps the own delay when nothing was asked", () => {
    expect(atLeastRetryAfter(250, undefined, () => 0.9)).toBe(250);
  });
});

describe("parseRetryAfter", () => {
  const now = Date.parse("2026-11-20T10:00:00Z");

  it.each([
    ["7", 7_000],
    ["Fri, 20 Nov 2026 10:00:30 GMT", 30_000],
    ["Fri, 20 Nov 2026 09:00:00 GMT", undefined],
    ["0", undefined],
    ["soon", undefined],
    [null, undefined],
  ])("reads %s", (header, expected) => {
    expect(parseRetryAfter(header, now)).toBe(expected);
  });
});
