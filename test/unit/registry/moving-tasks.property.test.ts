import fc from "fast-check";
import { expect, test } from "vitest";
import { MAX_LEASE_LOSSES } from "../../../src/limits.ts";
import { ShardedJob } from "../../support/job-shards.ts";

const number = fc.nat(50);
const step = fc.oneof(
  fc.record({ do: fc.constant("deliver" as const), number, again: fc.boolean() }),
  fc.record({ do: fc.constant("forget" as const), number }),
  fc.record({ do: fc.constant("take" as const), number }),
  fc.record({ do: fc.constant("finish" as const), number, named: fc.boolean() }),
  fc.record({ do: fc.constant("spill" as const), number, dies: fc.boolean() }),
  fc.record({ do: fc.constant("move" as const), number, to: number, told: fc.boolean() }),
  fc.record({ do: fc.constant("check" as const) }),
);

test("however tasks and workers move between shards, each task ends exactly once", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 5 }),
      fc.array(step, { maxLength: 60 }),
      (shards, tasks, steps) => {
        const job = new ShardedJob(shards, tasks);
        let checks = 0;
        for (const each of steps) {
          if (each.do === "deliver") job.deliver(each.number, each.again);
          if (each.do === "forget") job.forgetOffer(each.number);
          if (each.do === "take") job.shard(each.number).take();
          if (each.do === "finish") job.finish(each.number, each.named);
          if (each.do === "spill") job.spill(each.number, each.dies);
          if (each.do === "move") job.moveWorkers(each.number, each.to, each.told);
          // More losses in a row would rightly fail the task.
          if (each.do === "check" && (checks += 1) < MAX_LEASE_LOSSES - 1) job.check();
          // Wherever an attempt waits or is held, it is there only once.
          for (const branch of job.open) {
            const places = [...job.shards.values()].filter(
              (shard) => shard.waiting.get(branch.id)?.attempt === branch.attempt,
            );
            expect(places.length).toBeLessThanOrEqual(1);
          }
        }
        // What is lost by now the job's check finds.
        for (let round = 0; round < 3 && !job.hasEnded; round += 1) {
          while (job.offers.length > 0) job.deliver(0, false);
          job.check();
          while (job.offers.length > 0) job.deliver(0, false);
          for (let i = 0; i < shards; i += 1) {
            while (job.shard(i).waiting.size > 0) job.shard(i).take();
            while (job.shard(i).held.size > 0) job.finish(i, true);
          }
        }
        expect(job.hasEnded).toBe(true);
        expect([...job.taken.values()]).toEqual(Array.from({ length: tasks }, () => 1));
      },
    ),
    { numRuns: 400 },
  );
});
