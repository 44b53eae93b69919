import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { candidateOf } from "../../../durable-objects/registry-shard/roster.ts";
import { parsePolicy } from "../../../src/dispatch/policy.ts";
import { sideOf } from "../../../src/dispatch/ramp.ts";
import { offerFor } from "../../support/dispatch-builders.ts";
import { T0 } from "../../support/job-builders.ts";
import { ShardBench } from "../../support/shard-bench.ts";

const RAMP = { version: "2", percent: 50 };

function policy() {
  const parsed = parsePolicy('[task_types.resize]\nramp_version = "2"\nramp_percent = 50');
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

/** The first ids on a side. */
function idsOn(side: "ramped" | "rest", count: number): string[] {
  const ids = Array.from({ length: 200 }, (_, n) => `task-${n}`).filter((id) => sideOf(id, RAMP) === side);
  return ids.slice(0, count);
}

const [ramped = "", ramped2 = ""] = idsOn("ramped", 2);
const [rest = "", rest2 = ""] = idsOn("rest", 2);

let shard: ShardBench;

beforeEach(() => {
  shard = new ShardBench(policy());
});

function connect(id: string, version: string, slots = 1): void {
  shard.register(id, ["resize"], { version });
  shard.connect(id, slots);
}

const offer = (id: string) => shard.offer(offerFor(id));

describe("while workers of both sides are there", () => {
  test("each task goes to its own side, and waits for it though the other is free", async () => {
    connect("old", "1");
    connect("new", "2");
    expect([rest, rest2, ramped, ramped2].map(offer)).toEqual(["assigned", "waiting", "assigned", "waiting"]);
    shard.finish(rest);
    expect(shard.whereabouts.held).toEqual([`new:${ramped}#1`, `old:${rest2}#1`]);
    await shard.evict();
    shard.finish(ramped);
    expect(shard.whereabouts.held).toEqual([`new:${ramped2}#1`, `old:${rest2}#1`]);
  });
});

test("a worker of the other side is ruled out with the reason, for as long as the ramp holds", () => {
  connect("old", "1");
  connect("new", "2");
  const why = () => {
    const candidate = candidateOf(shard.member("old"));
    return candidate === null ? null : shard.dispatcher.ruleFor(offerFor(ramped), shard.now)(candidate);
  };
  expect(why()).toBe("version 1 is not 2 (ramp)");
  shard.drain("new", { since: T0, deadline: null, reason: null });
  expect(why()).toBeNull();
});

describe("when there is no worker of a task's side", () => {
  test("the other side takes it", () => {
    connect("old", "1", 2);
    expect([ramped, rest].map(offer)).toEqual(["assigned", "assigned"]);
  });

  test("because it does not take this very task, the other side takes it", () => {
    connect("old", "1", 2);
    connect("new", "2");
    const only = { requiredWorkers: ["old"] };
    expect(shard.offer(offerFor(ramped, only))).toBe("assigned");
  });

  test("because it has left, what waits for it goes to the other side at once", () => {
    connect("old", "1", 2);
    connect("new", "2");
    expect([ramped, ramped2].map(offer)).toEqual(["assigned", "waiting"]);
    shard.disconnect("new");
    shard.now = T0 + 120_000;
    shard.dispatcher.workerLeft(shard.now);
    expect(shard.whereabouts.held).toContain(`old:${ramped2}#1`);
  });

  test("because it drains, the other side takes it", () => {
    connect("old", "1", 2);
    connect("new", "2");
    expect([ramped, ramped2].map(offer)).toEqual(["assigned", "waiting"]);
    shard.drain("new", { since: T0, deadline: null, reason: null });
    expect(shard.whereabouts).toEqual({ held: [`new:${ramped}#1`, `old:${ramped2}#1`], waiting: [] });
  });

  test("because it went and did not come back, the alarm finds out within seconds", async () => {
    connect("old", "1", 2);
    connect("new", "2");
    shard.disconnect("new");
    expect(offer(ramped)).toBe("waiting");
    expect(shard.sqlite.alarms).toContain(T0 + 15_000);
    await shard.evict();
    shard.now = T0 + 15_000;
    await shard.alarmGoesOff();
    expect(shard.whereabouts.held).toEqual([`old:${ramped}#1`]);
  });

  test("and none of the other, nothing wakes the shard again and again", async () => {
    expect([ramped, rest].map(offer)).toEqual(["waiting", "waiting"]);
    await shard.alarmGoesOff();
    expect(shard.sqlite.alarms).toEqual([]);
    // One of a side that is there, but busy, may go without a word.
    connect("new", "2");
    expect(shard.whereabouts.held).toEqual([`new:${ramped}#1`]);
    expect(offer(ramped2)).toBe("waiting");
    expect(shard.sqlite.alarms).toEqual([T0 + 15_000]);
  });

  test("because it went without a word, the alarm finds out", async () => {
    connect("old", "1", 2);
    shard.poll("new", ["resize"]);
    shard.member("new").info = { worker_id: "new", supported_tasks: ["resize"], version: "2" };
    expect([ramped, ramped2].map(offer)).toEqual(["assigned", "waiting"]);
    shard.now = T0 + 180_000;
    shard.pongs.set(shard.sockets[0]?.asWebSocket() ?? new WebSocket("ws://x"), shard.now);
    await shard.alarmGoesOff();
    expect(shard.whereabouts.held).toEqual([`old:${ramped2}#1`]);
  });
});

test("nothing waits for ever: whatever comes and goes, all tasks are done in the end", () => {
  const step = fc.oneof(
    fc.record({ connect: fc.constantFrom("old", "new") }),
    fc.record({ offer: fc.nat({ max: 99 }) }),
    fc.record({ disconnect: fc.constantFrom("old", "new") }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      shard = new ShardBench(policy());
      for (const each of steps) {
        if ("offer" in each) offer(`task-${each.offer}`);
        else if ("connect" in each) connect(each.connect, each.connect === "new" ? "2" : "1");
        else if (shard.roster.get(each.disconnect) !== null) {
          for (const task of shard.member(each.disconnect).leases.keys()) shard.finish(task);
          shard.disconnect(each.disconnect);
          shard.now += 200_000;
          shard.dispatcher.workerLeft(shard.now);
        }
      }
      connect("old", "1");
      for (let n = 0; n < 100; n += 1) {
        for (const member of shard.roster.all()) for (const task of member.leases.keys()) shard.finish(task);
      }
      expect(shard.whereabouts.waiting).toEqual([]);
    }),
    { numRuns: 50 },
  );
});
