import fc from "fast-check";
import { expect, test } from "vitest";
import { Fleet, type FleetOp } from "../support/workerd-fleet.ts";

const OPS = 30;
const RUNS = 12;

const pick = fc.nat({ max: 5 });
/** What happens while all connections hold. */
const peaceful: fc.WeightedArbitrary<FleetOp>[] = [
  { weight: 6, arbitrary: fc.constant({ do: "create" }) },
  { weight: 2, arbitrary: fc.constant({ do: "time passes" }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constantFrom("finish", "finish", "finish twice", "fail", "progress"), pick }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("poll"), pick }) },
];
const wild: fc.WeightedArbitrary<FleetOp>[] = [
  { weight: 1, arbitrary: fc.constant({ do: "deploy" }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("break", "return", "forget", "finish in vain"), pick }) },
];

/** Operations, and after each of them whether all objects lose their memory. */
const scriptOf = (...ops: fc.WeightedArbitrary<FleetOp>[]) =>
  fc.array(fc.tuple(fc.oneof(...ops), fc.boolean()), { minLength: OPS / 2, maxLength: OPS });
const script = fc.oneof(scriptOf(...peaceful), scriptOf(...peaceful, ...wild));

test("whatever is said in whatever order, and wherever the shard loses its memory, no task is lost or doubled", async () => {
  let evictions = 0;
  await fc.assert(
    fc.asyncProperty(script, async (steps) => {
      const fleet = new Fleet();
      await fleet.start();
      for (const [step, evicts] of steps) {
        await fleet.do(step);
        if (!evicts) continue;
        await fleet.do({ do: "evict" });
        evictions += 1;
      }
      await fleet.expectAllToEnd();
    }),
    // One that stands still is told with its script, too.
    { numRuns: RUNS, timeout: 30_000, endOnFailure: true },
  );
  expect(evictions).toBeGreaterThan(RUNS);
}, 120_000);
