import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ORCHESTRATOR_MODES } from "../../../worker-sdk/src/settings/orchestrators.ts";
import { slotShares, type SlotClaim } from "../../../worker-sdk/src/orchestrators/slot-shares.ts";

function claim(overrides: Partial<SlotClaim> = {}): SlotClaim {
  return { weight: 1, reachable: true, held: 0, quiet: false, ...overrides };
}

const anyClaim = fc.record({
  weight: fc.integer({ min: 1, max: 9 }),
  reachable: fc.boolean(),
  held: fc.nat(6),
  quiet: fc.boolean(),
});
const anyMode = fc.constantFrom(...ORCHESTRATOR_MODES);
const situation = fc.record({
  mode: anyMode,
  capacity: fc.integer({ min: 1, max: 40 }),
  claims: fc.array(anyClaim, { minLength: 1, maxLength: 6 }),
  turn: fc.option(fc.nat(5), { nil: undefined }),
});

describe("slotShares", () => {
  it("never lets the tasks grow past the capacity but by one each for those that are only listened to", () => {
    fc.assert(
      fc.property(situation, ({ mode, capacity, claims, turn }) => {
        const shares = slotShares(mode, capacity, claims, turn);
        const held = claims.reduce((sum, each) => sum + each.held, 0);
        const most = claims.reduce((sum, each, index) => sum + Math.max(each.held, shares[index] ?? 0), 0);
        const listening = claims.filter(({ quiet, reachable }) => quiet && reachable).length;
        expect(most).toBeLessThanOrEqual(Math.max(held, capacity + listening));
        if (held >= capacity) expect(most).toBe(held);
        if (listening === 0) expect(most).toBeLessThanOrEqual(Math.max(held, capacity));
      }),
    );
  });

  it("offers nothing to those out of reach, and leaves no slot unused while somebody is heard", () => {
    fc.assert(
      fc.property(situation, ({ mode, capacity, claims, turn }) => {
        const shares = slotShares(mode, capacity, claims, turn);
        for (const [index, each] of claims.entries()) {
          if (!each.reachable) expect(shares[index]).toBe(0);
          expect(Number.isInteger(shares[index])).toBe(true);
        }
        const idle = claims.map((each) => ({ ...each, held: 0 }));
        const offered = slotShares(mode, capacity, idle, turn).reduce((sum, share) => sum + share, 0);
        if (claims.some(({ reachable }) => reachable)) expect(offered).toBeGreaterThanOrEqual(capacity);
        else expect(offered).toBe(0);
      }),
    );
  });

  it("FAILOVER: all to the first that can be reached, however quiet", () => {
    const second = claim({ quiet: true });
    expect(slotShares("FAILOVER", 4, [claim({ quiet: true }), second], undefined)).toEqual([4, 0]);
    expect(slotShares("FAILOVER", 4, [claim({ reachable: false }), second], undefined)).toEqual([0, 4]);
    // What the second still has counts until it has ended.
    expect(slotShares("FAILOVER", 4, [claim(), claim({ held: 3 })], undefined)).toEqual([1, 0]);
  });

  it("ROUND_ROBIN: by weight, and what one does not want to the others but for one slot", () => {
    const heavy = claim({ weight: 3 });
    expect(slotShares("ROUND_ROBIN", 8, [heavy, claim()], undefined)).toEqual([6, 2]);
    expect(slotShares("ROUND_ROBIN", 8, [heavy, claim({ quiet: true })], undefined)).toEqual([7, 1]);
    expect(slotShares("ROUND_ROBIN", 8, [{ ...heavy, quiet: true }, claim({ held: 2 })], undefined)).toEqual([1, 7]);
    // Heard again: its part comes as the tasks of the other end.
    expect(slotShares("ROUND_ROBIN", 8, [{ ...heavy, held: 1 }, claim({ held: 6 })], undefined)).toEqual([2, 2]);
  });

  it("ROUND_ROBIN: a slot that cannot be divided goes to whose turn it is", () => {
    const two = [claim({ weight: 2 }), claim()];
    expect(slotShares("ROUND_ROBIN", 1, two, 0)).toEqual([1, 0]);
    expect(slotShares("ROUND_ROBIN", 1, two, 1)).toEqual([0, 1]);
    expect(slotShares("ROUND_ROBIN", 1, [claim({ held: 1 }), claim()], 1)).toEqual([0, 0]);
    expect(slotShares("ROUND_ROBIN", 1, [claim({ quiet: true }), claim({ quiet: true })], undefined)).toEqual([1, 1]);
  });

  it("WATERFALL: the next one only while those before it are quiet", () => {
    const [quiet, heard] = [claim({ quiet: true }), claim()];
    expect(slotShares("WATERFALL", 6, [heard, heard, heard], undefined)).toEqual([6, 0, 0]);
    expect(slotShares("WATERFALL", 6, [quiet, heard, heard], undefined)).toEqual([1, 5, 0]);
    expect(slotShares("WATERFALL", 6, [quiet, quiet, heard], undefined)).toEqual([1, 1, 4]);
    expect(slotShares("WATERFALL", 6, [quiet, quiet, quiet], undefined)).toEqual([4, 1, 1]);
    expect(slotShares("WATERFALL", 1, [quiet, heard], undefined)).toEqual([1, 1]);
    expect(slotShares("WATERFALL", 1, [quiet, claim({ held: 1 })], undefined)).toEqual([0, 1]);
  });
});
