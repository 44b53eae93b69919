import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { candidateOf } from "../../../durable-objects/registry-shard/roster.ts";
import { ruleOf } from "../../../src/dispatch/matching.ts";
import type { Offer } from "../../../src/dispatch/offer.ts";
import { NO_POLICY, type DispatchPolicy } from "../../../src/dispatch/policy.ts";
import { Throttles } from "../../../src/dispatch/throttles.ts";
import { offerFor } from "../../support/dispatch-builders.ts";
import { ShardBench } from "../../support/shard-bench.ts";

const CLIENTS = ["alice", "bob"] as const;
const TYPES = ["resize", "crop"] as const;
const WORKERS: Readonly<
  Record<string, { readonly slots: number; readonly types: readonly string[]; readonly ram: number }>
> = {
  a: { slots: 2, types: ["resize"], ram: 8 },
  b: { slots: 3, types: ["resize", "crop"], ram: 16 },
  c: { slots: 1, types: ["crop"], ram: 4 },
};

const limit = fc.option(fc.integer({ min: 0, max: 3 }));
const rate = fc.option(fc.record({ limit: fc.integer({ min: 1, max: 3 }), periodMs: fc.constantFrom(5_000, 20_000) }));
const policy: fc.Arbitrary<DispatchPolicy> = fc
  .record({ resize: limit, crop: limit, alice: limit, cropRate: rate, aliceRate: rate })
  .map(({ resize, crop, alice, cropRate, aliceRate }) => ({
    ...NO_POLICY,
    taskTypes: new Map([
      ["resize", { maxConcurrent: resize, rate: null, ramp: null }],
      ["crop", { maxConcurrent: crop, rate: cropRate, ramp: null }],
    ]),
    clients: new Map([["alice", { maxConcurrent: alice, rate: aliceRate, weight: 2 }]]),
  }));

const command = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("offer" as const),
      type: fc.constantFrom(...TYPES),
      client: fc.constantFrom(...CLIENTS),
      ram: fc.constantFrom(0, 8, 16),
      priority: fc.nat({ max: 2 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("come" as const), worker: fc.constantFrom("a", "b", "c") }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("finish" as const), pick: fc.nat({ max: 20 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(100, 3_000, 9_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("evict" as const) }) },
);

/** A shard under a policy, whose workers come once and stay. */
class Trial {
  readonly shard: ShardBench;
  readonly policy: DispatchPolicy;
  readonly tasks = new Map<string, Offer>();

  constructor(limits: DispatchPolicy) {
    this.policy = limits;
    this.shard = new ShardBench(limits);
  }

  async do(each: typeof command extends fc.Arbitrary<infer C> ? C : never): Promise<void> {
    const { shard, tasks } = this;
    if (each.do === "offer") {
      const { type, client, ram, priority } = each;
      const requirements = ram === 0 ? null : { ram_gb: ram };
      const task = offerFor(`t${tasks.size}`, { type, client, requirements, priority, since: shard.now });
      tasks.set(task.taskId, task);
      shard.offer(task);
    } else if (each.do === "come") {
      const { slots, types, ram } = WORKERS[each.worker] ?? { slots: 0, types: [], ram: 0 };
      if (shard.roster.get(each.worker) !== null) return;
      shard.register(each.worker, types, { resources: { ram_gb: ram } });
      shard.connect(each.worker, slots, types);
    } else if (each.do === "finish") {
      const held = [...tasks.keys()].filter((id) => shard.roster.holderOf(id) !== null);
      const id = held[each.pick % Math.max(1, held.length)];
      if (id !== undefined) shard.finish(id);
    } else if (each.do === "pass") {
      shard.now += each.ms;
      for (const worker of shard.roster.all()) worker.seenAt = shard.now;
      await shard.alarmGoesOff();
    } else await shard.evict();
  }

  held(of: Partial<Pick<Offer, "type" | "client">>): number {
    return [...this.tasks.values()].filter(
      (task) =>
        this.shard.roster.holderOf(task.taskId) !== null &&
        (of.type ?? task.type) === task.type &&
        (of.client ?? task.client) === task.client,
    ).length;
  }
}

/** Whether a worker with a free slot fits the task. */
function hasTaker({ roster }: ShardBench, task: Offer): boolean {
  const rule = ruleOf(task);
  return [...roster.all()].some((member) => {
    const candidate = candidateOf(member);
    return candidate !== null && rule(candidate) === null;
  });
}

function forEachLife(check: (trial: Trial) => void): Promise<void> {
  const life = fc.asyncProperty(policy, fc.array(command, { maxLength: 40, size: "max" }), async (limits, commands) => {
    const trial = new Trial(limits);
    for (const each of commands) {
      await trial.do(each);
      check(trial);
    }
  });
  return fc.assert(life, { numRuns: 150 });
}

describe("a shard with limits, whatever happens to it", () => {
  test("never has more tasks with workers than a limit allows", async () => {
    await forEachLife((trial) => {
      for (const [type, { maxConcurrent }] of trial.policy.taskTypes) {
        expect(trial.held({ type })).toBeLessThanOrEqual(maxConcurrent ?? Infinity);
      }
      for (const [client, { maxConcurrent }] of trial.policy.clients) {
        expect(trial.held({ client })).toBeLessThanOrEqual(maxConcurrent ?? Infinity);
      }
    });
  });

  test("lets a task wait only when no free worker fits or a limit blocks it", async () => {
    await forEachLife(({ shard, tasks, policy: limits }) => {
      const { roster, store, now } = shard;
      const throttles = new Throttles(limits, { index: 0, of: 1 }, (scope, name) => roster.heldOf(scope, name), store);
      const left = [...tasks.values()].filter(
        (task) =>
          shard.dispatcher.isWaiting(task.taskId, 1) && throttles.block(task, now) === null && hasTaker(shard, task),
      );
      expect(left).toEqual([]);
    });
  });

  test("has an alarm set for every task that waits for nothing but a rate", async () => {
    await forEachLife(({ shard, tasks }) => {
      for (const task of tasks.values()) {
        const until = shard.dispatcher.lookAt(task.taskId, shard.now)?.block?.until ?? null;
        if (until === null || !hasTaker(shard, task)) continue;
        const alarms = shard.sqlite.alarms.filter((at) => at > shard.now);
        expect(Math.min(...alarms)).toBeLessThanOrEqual(until);
      }
    });
  });
});
