import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { otherSide, sideOf } from "../../../src/dispatch/ramp.ts";

const ids = Array.from({ length: 20_000 }, (_, n) => `0b3c1c5e-7a91-4d8e-9a52-5f0f8a3c${n}-${n % 7}`);

describe("the share of a ramp", () => {
  test("is what it says, within the error of chance", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 100, noNaN: true }), (percent) => {
        const ramp = { version: "2", percent };
        const share = ids.filter((id) => sideOf(id, ramp) === "ramped").length / ids.length;
        // Four standard deviations of 20,000 tosses.
        expect(Math.abs(share - percent / 100)).toBeLessThan(0.0145);
      }),
    );
  });

  test("is nobody at 0 and everybody at 100", () => {
    const at = (percent: number) => new Set(ids.map((id) => sideOf(id, { version: "2", percent })));
    expect([at(0), at(100)]).toEqual([new Set(["rest"]), new Set(["ramped"])]);
  });

  test("only grows: a task that is ramped stays so", () => {
    const percents = fc.tuple(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 100 }));
    fc.assert(
      fc.property(fc.string(), percents, (id, [a, b]) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)].map((percent) => sideOf(id, { version: "2", percent }));
        if (low === "ramped") expect(high).toBe("ramped");
      }),
    );
  });
});

test("a worker of the other side is ruled out with a reason", () => {
  const ramp = { version: "2", percent: 10 };
  expect(otherSide("ramped", ramp, "2")).toBeNull();
  expect(otherSide("rest", ramp, "1")).toBeNull();
  expect(otherSide("rest", ramp, undefined)).toBeNull();
  expect(otherSide("ramped", ramp, "1")).toBe("version 1 is not 2 (ramp)");
  expect(otherSide("ramped", ramp, undefined)).toBe("version unknown is not 2 (ramp)");
  expect(otherSide("rest", ramp, "2")).toBe("version 2 takes 10 % of the tasks, and this is not one of them (ramp)");
});
