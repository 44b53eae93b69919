import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Turns } from "../../../worker-sdk/src/orchestrators/turns.ts";

const members = fc.array(
  fc.integer({ min: 1, max: 20 }).map((weight) => ({ weight })),
  { minLength: 1, maxLength: 6 },
);

describe("Turns", () => {
  it("gives each as many turns as its weight says, in every period of all weights together", () => {
    fc.assert(
      fc.property(members, (present) => {
        const turns = new Turns();
        const period = present.reduce((sum, { weight }) => sum + weight, 0);
        for (let repeat = 0; repeat < 3; repeat++) {
          const chosen = Array.from({ length: period }, () => turns.next(present));
          for (const member of present) {
            expect(chosen.filter((each) => each === member)).toHaveLength(member.weight);
          }
        }
      }),
    );
  });

  it("spreads the turns of one among those of the others", () => {
    const [a, b, c] = [{ weight: 5 }, { weight: 1 }, { weight: 1 }];
    const turns = new Turns();
    const chosen = Array.from({ length: 7 }, () => turns.next([a, b, c]));
    expect(chosen).toEqual([a, a, b, a, c, a, a]);
  });

  it("goes on among those that are left", () => {
    const [a, b] = [{ weight: 1 }, { weight: 1 }];
    const turns = new Turns();
    expect([turns.next([a, b]), turns.next([b]), turns.next([a, b]), turns.next([])]).toEqual([a, b, b, undefined]);
  });
});
