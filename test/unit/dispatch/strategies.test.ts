import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Candidate } from "../../../src/dispatch/matching.ts";
import { choose, isStrategy, strategy as ownStrategy } from "../../../src/dispatch/strategies.ts";
import { candidate, offerFor } from "../../support/dispatch-builders.ts";

/** Few values, so that ties are common. */
const few = (...values: number[]) => fc.option(fc.constantFrom(...values), { nil: undefined });
const workers = fc
  .uniqueArray(
    fc.record({
      id: fc.constantFrom(..."abcdefgh"),
      cost: few(0, 1, 2),
      reputation: few(0, 0.5, 1),
      load: few(0, 0.5),
      hot: fc.boolean(),
      held: fc.nat({ max: 4 }),
      free: fc.integer({ min: 1, max: 2 }),
      turn: fc.nat({ max: 2 }),
      idleSince: fc.nat({ max: 2 }),
    }),
    { selector: (worker) => worker.id, minLength: 1 },
  )
  .map((all) =>
    all.map(({ id, cost, reputation, load, hot, ...over }) => {
      const told = Object.entries({ cost_per_second: cost, reputation, load }).filter(
        ([, value]) => value !== undefined,
      );
      return candidate(id, { ...Object.fromEntries(told), hot_cache: hot ? ["resize"] : ["crop"] }, over);
    }),
  );

const cost = (worker: Candidate) => worker.info.cost_per_second ?? Infinity;
const busyShare = (worker: Candidate) => worker.held / (worker.held + worker.free);
const value = (worker: Candidate) => {
  const reputation = Number(worker.info["reputation"] ?? 1);
  return reputation === 0 ? Infinity : cost(worker) / reputation;
};

/** What each strategy looks at, the most important first; the smallest is best. */
const LOOKS_AT: Readonly<Record<string, readonly ((worker: Candidate) => number)[]>> = {
  default: [(worker) => (worker.info.hot_cache?.includes("resize") === true ? 0 : 1), cost],
  round_robin: [(worker) => worker.turn],
  least_connections: [busyShare, (worker) => worker.info.load ?? 0],
  cheapest: [cost],
  best_value: [value],
  overflow: [(worker) => (worker.held < 3 ? 0 : 1), (worker) => (worker.held < 3 ? cost(worker) : worker.held), cost],
};

/** The best by one measure after the other; then who holds least, the longest idle, the longest without a turn, the lowest id. */
function bestOf(candidates: readonly Candidate[], strategy: string): Candidate | undefined {
  let left = [...candidates];
  for (const measure of [
    ...(LOOKS_AT[strategy] ?? []),
    busyShare,
    (worker: Candidate) => worker.idleSince,
    (worker: Candidate) => worker.turn,
  ]) {
    const best = Math.min(...left.map(measure));
    left = left.filter((worker) => measure(worker) === best);
  }
  return left.toSorted((a, b) => (a.id < b.id ? -1 : 1))[0];
}

describe.each(Object.keys(LOOKS_AT))("the strategy %s", (strategy) => {
  test("chooses the best by what it looks at; the longest idle, then the lowest id among equals", () => {
    fc.assert(
      fc.property(workers, (candidates) => {
        const chosen = choose(candidates, offerFor("t", { strategy }));
        expect(candidates).toContain(chosen);
        expect(chosen).toBe(bestOf(candidates, strategy));
      }),
    );
  });

  test("chooses the same in whatever order the workers stand", () => {
    const shuffled = workers.chain((all) =>
      fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
    );
    fc.assert(
      fc.property(shuffled, ([one, other]) => {
        const task = offerFor("t", { strategy });
        expect(choose(one, task)).toBe(choose(other, task));
      }),
    );
  });

  test("chooses nobody when nobody fits", () => {
    expect(choose([], offerFor("t", { strategy }))).toBeNull();
  });
});

test("an unknown strategy is the default one, whatever its name", () => {
  fc.assert(
    fc.property(
      workers,
      fc.oneof(fc.string(), fc.constantFrom("constructor", "toString", "__proto__", "")),
      (candidates, strategy) => {
        fc.pre(!Object.hasOwn(LOOKS_AT, strategy));
        expect(choose(candidates, offerFor("t", { strategy }))).toBe(choose(candidates, offerFor("t")));
      },
    ),
  );
});

describe("by example", () => {
  test("a warm worker goes before a cheaper cold one", () => {
    const warm = candidate("warm", { hot_cache: ["resize"], cost_per_second: 9 });
    const cold = candidate("cold", { cost_per_second: 1 });
    expect(choose([cold, warm], offerFor("t"))).toBe(warm);
  });

  test("the best value is the cost for each unit of reputation, which is 1 when it is not known", () => {
    const known = candidate("a", { cost_per_second: 3, reputation: 0.5 });
    const unknown = candidate("b", { cost_per_second: 4 });
    const ruined = candidate("c", { cost_per_second: 0.1, reputation: 0 });
    expect(choose([known, unknown, ruined], offerFor("t", { strategy: "best_value" }))).toBe(unknown);
  });
});

test("a deployment's own strategy is known by its name, and a name is given once", () => {
  const heaviest = ownStrategy("heaviest", (worker) => [-(worker.info.load ?? 0)]);
  const [light, heavy] = [candidate("a", { load: 0.1 }), candidate("b", { load: 0.9 })];
  expect(choose([light, heavy], offerFor("t", { strategy: heaviest }))).toBe(heavy);
  expect([isStrategy("heaviest"), isStrategy("overflow"), isStrategy("lightest")]).toEqual([true, true, false]);
  expect(() => ownStrategy("heaviest", () => [])).toThrow('There is a strategy called "heaviest" already.');
  expect(() => ownStrategy("cheapest", () => [])).toThrow(TypeError);
});
