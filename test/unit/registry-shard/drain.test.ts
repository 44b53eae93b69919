import { beforeEach, describe, expect, test } from "vitest";
import { offerFor } from "../../support/dispatch-builders.ts";
import { T0 } from "../../support/job-builders.ts";
import { ShardBench } from "../../support/shard-bench.ts";

let shard: ShardBench;

beforeEach(() => {
  shard = new ShardBench();
});

const until = (ms: number | null) => ({ since: T0, deadline: ms === null ? null : T0 + ms, reason: null });

/** Time passes and the alarm goes off. */
async function at(ms: number): Promise<void> {
  shard.now = T0 + ms;
  await shard.alarmGoesOff();
}

describe.each([
  ["worker", "w"],
  ["shard", null],
])("a %s that drains", (_, drained) => {
  test("takes nothing new, and keeps what it holds while there is no deadline; no alarm is set", async () => {
    shard.connect("w", 2);
    shard.offer(offerFor("a"));
    shard.drain(drained, until(null));
    await shard.evict();
    expect(shard.offer(offerFor("b"))).toBe("waiting");
    await at(1_000_000);
    expect(shard.whereabouts).toEqual({ held: ["w:a#1"], waiting: ["b#1"] });
    expect(shard.sqlite.alarms).toEqual([]);
  });

  test("hands over at its deadline what it still holds, and its worker is told to stop", async () => {
    const socket = shard.connect("w", 2);
    shard.offer(offerFor("a"));
    shard.drain(drained, until(60_000));
    expect(shard.sqlite.alarms).toEqual([T0 + 60_000]);
    await shard.evict();
    await at(59_999);
    expect(shard.told).toEqual([]);
    await at(60_000);
    expect(shard.told).toEqual([["a", 1, "drained"]]);
    expect(shard.whereabouts.held).toEqual([]);
    expect(socket.sent.at(-1)).toMatchObject({ type: "cancel_task", task_id: "a" });
  });

  test("does the same with what was polled", async () => {
    shard.poll("w");
    shard.offer(offerFor("a"));
    shard.drain(drained, until(1_000));
    await shard.evict();
    await at(1_000);
    expect([shard.told, shard.store.leases()]).toEqual([[["a", 1, "drained"]], []]);
  });

  test("does the same with what a worker holds that is away for a moment, at the deadline", async () => {
    shard.connect("w");
    shard.offer(offerFor("a"));
    shard.disconnect("w");
    shard.drain(drained, until(1_000));
    await shard.evict();
    await at(999);
    expect(shard.whereabouts.held).toEqual(["w:a#1"]);
    await at(1_000);
    expect([shard.told, shard.store.leases()]).toEqual([[["a", 1, "drained"]], []]);
  });

  test.each(["there", "away"])("tells a job again that could not be told, of a worker that is %s", async (where) => {
    shard.connect("w");
    shard.offer(offerFor("a"));
    if (where === "away") shard.disconnect("w");
    shard.drain(drained, until(0));
    shard.jobsAreAway = true;
    await at(0);
    expect(shard.whereabouts.held).toEqual(["w:a#1"]);
    expect(shard.sqlite.alarms.at(-1)).toBe(T0 + 5_000);
    shard.jobsAreAway = false;
    await at(5_000);
    expect(shard.told).toEqual([["a", 1, "drained"]]);
  });

  test("with nothing in hand sets no alarm; what its worker brings back later has the deadline still", async () => {
    shard.connect("w");
    shard.drain(drained, until(1_000));
    expect(shard.sqlite.alarms).toEqual([]);
    const claim = { job_id: "job", task_id: "a", attempt: 1, lease: "lease-of-a" };
    shard.connect("w", 1, ["resize"], [claim]);
    expect(shard.sqlite.alarms).toEqual([T0 + 1_000]);
    await at(1_000);
    expect(shard.told).toEqual([["a", 1, "drained"]]);
  });

  test("takes what waits once it is to work again", async () => {
    shard.connect("w");
    shard.drain(drained, until(1_000));
    shard.offer(offerFor("a"));
    await shard.evict();
    shard.drain(drained, null);
    expect(shard.whereabouts).toEqual({ held: ["w:a#1"], waiting: [] });
    await at(1_000);
    expect(shard.told).toEqual([]);
  });
});

test("a worker that is forgotten is told of, one that never registered is not", async () => {
  shard.register("w");
  shard.roster.member("stranger", T0);
  await at(120_000);
  expect(shard.forgotten).toEqual(["w"]);
});
