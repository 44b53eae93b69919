import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Quota, type QuotaUse, spendQuota } from "../../../src/access/quota.ts";

const DAILY: Quota = { limit: 2, period: "day" };
const NOON = Date.UTC(2026, 10, 22, 12);
const MIDNIGHT = Date.UTC(2026, 10, 23);

/** Asks once at each of the times, and tells which were granted. */
function grants(quota: Quota, times: number[]): boolean[] {
  let use: QuotaUse | undefined;
  return times.map((now) => {
    const outcome = spendQuota(use, quota, now);
    use = outcome.use;
    return outcome.answer.ok;
  });
}

test("a quota is spent unit by unit and then refused until its period ends", () => {
  expect(grants(DAILY, [NOON, NOON, NOON, MIDNIGHT - 1, MIDNIGHT])).toEqual([true, true, false, false, true]);
});

test("the answer tells what is left and when all of it is back", () => {
  expect(spendQuota(undefined, DAILY, NOON).answer).toEqual({ ok: true, remaining: 1, resetsAt: MIDNIGHT });
});

test("a month ends with the month, also at the turn of the year", () => {
  const { answer } = spendQuota(undefined, { limit: 1, period: "month" }, Date.UTC(2026, 11, 31, 23));
  expect(answer.resetsAt).toBe(Date.UTC(2027, 0, 1));
});

test("a refusal leaves nothing to write", () => {
  const { use } = spendQuota(undefined, { limit: 1, period: "day" }, NOON);
  expect(spendQuota(use, { limit: 1, period: "day" }, NOON).use).toBe(use);
});

test("a limit of 0 refuses everything", () => {
  expect(grants({ limit: 0, period: "day" }, [NOON, MIDNIGHT])).toEqual([false, false]);
});

describe("a changed quota", () => {
  const { use } = spendQuota(spendQuota(undefined, DAILY, NOON).use, DAILY, NOON);

  test("with a higher limit goes on from what was spent", () => {
    expect(spendQuota(use, { limit: 3, period: "day" }, NOON).answer).toMatchObject({ ok: true, remaining: 0 });
  });

  test("with a lower limit refuses at once", () => {
    expect(spendQuota(use, { limit: 1, period: "day" }, NOON).answer).toMatchObject({ ok: false, remaining: 0 });
  });

  test("with another period starts afresh", () => {
    expect(spendQuota(use, { limit: 2, period: "month" }, NOON).answer).toMatchObject({ ok: true, remaining: 1 });
  });
});

const DAY_MS = 86_400_000;
const limits = fc.integer({ min: 0, max: 5 });
const times = fc.array(fc.integer({ min: NOON, max: NOON + 3 * DAY_MS }), { maxLength: 60 });

test("each day grants what was asked for, up to the limit", () => {
  fc.assert(
    fc.property(limits, times, (limit, asked) => {
      const inOrder = asked.toSorted((one, other) => one - other);
      const granted = grants({ limit, period: "day" }, inOrder);
      const days = Map.groupBy(inOrder.keys(), (index) => Math.floor((inOrder[index] ?? 0) / DAY_MS));
      for (const day of days.values()) {
        expect(day.filter((index) => granted[index])).toHaveLength(Math.min(limit, day.length));
      }
    }),
  );
});

test("a clock that jumps back and forth grants no more than the days it has shown", () => {
  fc.assert(
    fc.property(limits, times, (limit, asked) => {
      const days = new Set(asked.map((time) => Math.floor(time / DAY_MS)));
      expect(grants({ limit, period: "day" }, asked).filter(Boolean).length).toBeLessThanOrEqual(limit * days.size);
    }),
  );
});
