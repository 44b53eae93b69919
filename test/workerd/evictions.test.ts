import fc from "fast-check";
import { expect, test } from "vitest";
import { Fleet, type FleetOp } from "../support/workerd-fleet.ts";

const OPS = 30;
const RUNS = 12;

const pick = fc.nat({ max: 5 });
const op: fc.Arbitrary<FleetOp> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<FleetOp>({ do: "create" }) },
  { weight: 2, arbitrary: fc.constant<FleetOp>({ do: "time passes" }) },
  { weight: 1, arbitrary: fc.constant<FleetOp>({ do: "deploy" }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constantFrom("finish", "finish", "finish twice", "fail", "progress"), pick }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("break", "return", "forget"), pick }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("poll" as const), pick }) },
);

/** Whether the shard loses its memory after each operation. */
const script = fc.array(fc.tuple(op, fc.boolean()), { minLength: OPS / 2, maxLength: OPS });

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
