import fc from "fast-check";
import { expect, test } from "vitest";
import { offerFor } from "../../support/dispatch-builders.ts";
import { ShardBench } from "../../support/shard-bench.ts";

const WORKERS = ["a", "b"];
/** Together at most two of the first two, and any number of the third. */
const LIMITED = ["paint", "train"];
const TYPES = [...LIMITED, "sort"];
const SLOTS = 4;

const command = fc.oneof(
  { weight: 4, arbitrary: fc.record({ op: fc.constant("offer" as const), type: fc.constantFrom(...TYPES) }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("finish" as const), pick: fc.nat({ max: 20 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant("limit" as const),
      worker: fc.constantFrom(...WORKERS),
      max: fc.nat({ max: 2 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("evict" as const) }) },
);

test("a worker never gets more of limited types than it takes at once, and no task waits that one could take", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 40 }), async (commands) => {
      const shard = new ShardBench();
      const limits = new Map(WORKERS.map((id) => [id, 1]));
      const limit = (id: string, max: number) => {
        const member = shard.member(id);
        limits.set(id, max);
        member.socketLimits = [{ tasks: LIMITED, max }];
        shard.roster.keep(member);
        shard.roster.refresh(member);
        shard.dispatcher.fill(member, shard.now);
      };
      for (const id of WORKERS) {
        shard.connect(id, SLOTS, TYPES);
        limit(id, 1);
      }
      const open: { id: string; type: string }[] = [];
      const limitedOf = (id: string) =>
        [...shard.member(id).leases.values()].filter(({ type }) => type !== "sort").length;
      let made = 0;
      for (const next of commands) {
        const before = new Map(WORKERS.map((id) => [id, limitedOf(id)]));
        if (next.op === "offer") {
          const task = { id: `t${made++}`, type: next.type };
          open.push(task);
          shard.offer(offerFor(task.id, { type: next.type }));
        } else if (next.op === "finish") {
          const held = open.filter(({ id }) => shard.roster.holderOf(id) !== null);
          const task = held[next.pick % Math.max(1, held.length)];
          if (task !== undefined) {
            open.splice(open.indexOf(task), 1);
            shard.finish(task.id);
          }
        } else if (next.op === "limit") {
          limit(next.worker, next.max);
        } else {
          await shard.evict();
        }
        for (const id of WORKERS) {
          const held = limitedOf(id);
          // What it has when the limit falls it keeps.
          expect(held).toBeLessThanOrEqual(Math.max(limits.get(id) ?? 0, before.get(id) ?? 0));
          const member = shard.member(id);
          for (const task of open.filter((each) => shard.roster.holderOf(each.id) === null)) {
            const free = member.leases.size < SLOTS && (task.type === "sort" || held < (limits.get(id) ?? 0));
            expect(free).toBe(false);
          }
        }
      }
    }),
  );
});
