import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { firstDeadline } from "../../../durable-objects/registry-shard/standing.ts";
import { offerFor } from "../../support/dispatch-builders.ts";
import { ShardBench } from "../../support/shard-bench.ts";

const worker = fc.constantFrom("a", "b", "c");
const type = fc.constantFrom("resize", "crop");
const pick = fc.nat({ max: 20 });
/** Each worker has its own way and its own types for good, so that a test can say what it could take. */
const SLOTS: Readonly<Record<string, number>> = { a: 1, b: 2 };
const TYPES: Readonly<Record<string, readonly string[]>> = { a: ["resize"], b: ["resize", "crop"], c: ["crop"] };

const command = fc.oneof(
  { weight: 4, arbitrary: fc.record({ op: fc.constant("offer" as const), type, priority: fc.nat({ max: 2 }) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("offer again" as const), pick, newer: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("come" as const), worker, keeps: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("leave" as const), worker }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("finish" as const), pick }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("withdraw" as const), pick }) },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant("pass" as const), ms: fc.constantFrom(1_000, 10_000, 130_000) }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("evict" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant("drain" as const),
      // Null for the whole shard.
      whom: fc.constantFrom("a", "b", "c", null),
      inMs: fc.constantFrom(0, 5_000, null),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant("undrain" as const), whom: fc.constantFrom("a", "b", "c", null) }),
  },
);
type Command = typeof command extends fc.Arbitrary<infer C> ? C : never;

interface Known {
  readonly type: string;
  readonly priority: number;
  attempt: number;
}

class Trial {
  readonly shard = new ShardBench();
  /** The latest attempt offered of each task that is not over. */
  readonly tasks = new Map<string, Known>();
  #made = 0;

  async do(command: Command): Promise<void> {
    const { shard, tasks } = this;
    const meant = "pick" in command ? [...tasks].at(command.pick % Math.max(1, tasks.size)) : undefined;
    switch (command.op) {
      case "offer": {
        const { type, priority } = command;
        const id = `t${this.#made++}`;
        tasks.set(id, { type, priority, attempt: 1 });
        shard.offer(offerFor(id, { type, priority }));
        return;
      }
      case "offer again": {
        if (meant === undefined) return;
        const [id, known] = meant;
        if (command.newer) known.attempt += 1;
        const before = shard.whereabouts;
        const placed = shard.offer(offerFor(id, known));
        if (!command.newer && placed === "known") expect(shard.whereabouts).toEqual(before);
        return;
      }
      case "come":
        return this.#come(command.worker, command.keeps);
      case "leave":
        if (shard.roster.get(command.worker) !== null) shard.disconnect(command.worker);
        return;
      case "finish":
        if (meant === undefined || shard.roster.holderOf(meant[0]) === null) return;
        tasks.delete(meant[0]);
        return shard.finish(meant[0]);
      case "withdraw":
        if (meant !== undefined && shard.dispatcher.withdraw(meant[0])) tasks.delete(meant[0]);
        return;
      case "pass":
        shard.now += command.ms;
        await shard.alarmGoesOff();
        // The job answers a loss with a new attempt, as soon as it has heard of it.
        for (const [id, attempt] of shard.told.splice(0)) this.#anew(id, attempt);
        return;
      case "evict":
        return shard.evict();
      case "drain": {
        const { whom, inMs } = command;
        return shard.drain(whom, { since: shard.now, deadline: inMs === null ? null : shard.now + inMs, reason: null });
      }
      case "undrain":
        return shard.drain(command.whom, null);
    }
  }

  #anew(id: string, lost: number): void {
    const known = this.tasks.get(id);
    if (known === undefined || known.attempt !== lost) return;
    known.attempt += 1;
    this.shard.offer(offerFor(id, known));
  }

  #come(id: string, keeps: boolean): void {
    const slots = SLOTS[id];
    if (slots === undefined) return void this.shard.poll(id, TYPES[id]);
    const held = [...(this.shard.roster.get(id)?.leases.values() ?? [])];
    const claims = held.map(({ jobId, taskId, attempt, word }) => ({
      job_id: jobId,
      task_id: taskId,
      attempt,
      lease: word,
    }));
    this.shard.connect(id, slots, TYPES[id], keeps ? claims : []);
  }
}

function forEachLife(check: (trial: Trial, command: Command) => void | Promise<void>): Promise<void> {
  const life = fc.asyncProperty(fc.array(command, { maxLength: 40, size: "max" }), async (commands) => {
    const trial = new Trial();
    for (const each of commands) {
      await trial.do(each);
      await check(trial, each);
    }
  });
  return fc.assert(life, { numRuns: 100 });
}

describe("a shard, whatever happens to it", () => {
  test("has every task in exactly one place, at its latest attempt", async () => {
    await forEachLife(({ shard, tasks }) => {
      const { held, waiting } = shard.whereabouts;
      const everywhere = [...held.map((entry) => entry.slice(entry.indexOf(":") + 1)), ...waiting];
      const expected = [...tasks].map(([id, { attempt }]) => `${id}#${attempt}`);
      expect(everywhere.toSorted()).toEqual(expected.toSorted());
      for (const entry of held) {
        const [holder, task = ""] = entry.split(":");
        expect(shard.roster.holderOf(task.split("#")[0] ?? "")?.id).toBe(holder);
      }
    });
  });

  test("never gives a worker a task of a type that it does not take", async () => {
    await forEachLife(({ shard }) => {
      for (const member of shard.roster.all()) {
        for (const { type } of member.leases.values()) expect(TYPES[member.id]).toContain(type);
      }
    });
  });

  test("never gives a worker more tasks over its socket than it has slots", async () => {
    await forEachLife(({ shard }) => {
      for (const member of shard.roster.all()) {
        const bySocket = [...member.leases.values()].filter((held) => held.row === null);
        expect(bySocket.length).toBeLessThanOrEqual(SLOTS[member.id] ?? 0);
      }
    });
  });

  test("lets no task wait that a worker could take right now", async () => {
    await forEachLife(({ shard, tasks }) => {
      const waiting = [...tasks].filter(([id]) => shard.dispatcher.waitingAttempt(id) !== null);
      for (const member of shard.roster.all()) {
        const could = waiting.filter(([, { type }]) => shard.roster.typesOf(member).has(type)).map(([id]) => id);
        expect({ worker: member.id, could }).toEqual({ worker: member.id, could: [] });
      }
    });
  });

  test("gives a worker that drains nothing new", async () => {
    const lives = new WeakMap<Trial, Map<string, ReadonlySet<string>>>();
    await forEachLife((trial) => {
      const { shard } = trial;
      const before = lives.get(trial) ?? new Map<string, ReadonlySet<string>>();
      lives.set(trial, before);
      for (const member of shard.roster.all()) {
        const held = new Set([...member.leases.values()].map(({ taskId, attempt }) => `${taskId}#${attempt}`));
        if (member.barred !== null) expect(held.isSubsetOf(before.get(member.id) ?? new Set())).toBe(true);
        before.set(member.id, held);
      }
    });
  });

  test("leaves a worker nothing after its deadline", async () => {
    await forEachLife(({ shard }, { op }) => {
      if (op !== "pass") return;
      for (const member of shard.roster.all()) {
        const drain = firstDeadline(shard.standings.of(member.id).drain, shard.standings.shardDrain);
        if (drain !== null && drain.deadline <= shard.now) expect(member.leases.size).toBe(0);
      }
    });
  });

  test("forgets nothing when it is evicted", async () => {
    await forEachLife(async ({ shard }) => {
      const before = shard.whereabouts;
      await shard.evict();
      expect(shard.whereabouts).toEqual(before);
    });
  });
});
