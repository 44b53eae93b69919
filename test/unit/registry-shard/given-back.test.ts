import { serialize } from "node:v8";
import { describe, expect, test } from "vitest";
import { readLeases } from "../../../durable-objects/registry-shard/lease.ts";
import { candidateOf } from "../../../durable-objects/registry-shard/roster.ts";
import { readAttachment } from "../../../durable-objects/registry-shard/sockets.ts";
import { NO_POLICY } from "../../../src/dispatch/policy.ts";
import { MAX_SOCKET_SLOTS } from "../../../src/limits.ts";
import { offerFor } from "../../support/dispatch-builders.ts";
import { T0 } from "../../support/job-builders.ts";
import { ShardBench } from "../../support/shard-bench.ts";

/** The worker gives a task back, and its job has not answered yet. */
function giveBack(shard: ShardBench, worker: string, taskId: string): void {
  shard.dispatcher.reported(shard.member(worker), taskId);
  shard.dispatcher.fill(shard.member(worker), shard.now);
}

const carried = (shard: ShardBench) => {
  const [socket] = shard.sockets;
  const kept = socket === undefined ? null : readAttachment(socket.asWebSocket());
  return kept?.kind === "worker" ? readLeases(kept).map(({ taskId }) => taskId) : [];
};

describe("a task that was given back, whose job has not answered,", () => {
  test("takes no slot, and is held until the answer", () => {
    const shard = new ShardBench();
    shard.connect("w");
    shard.offer(offerFor("a"));
    shard.offer(offerFor("b"));
    giveBack(shard, "w", "a");
    expect(shard.whereabouts).toEqual({ held: ["w:a#1", "w:b#1"], waiting: [] });
    expect(candidateOf(shard.member("w"))).toMatchObject({ held: 1, free: 0 });
    // Known: nobody is to do it once more.
    expect(shard.offer(offerFor("a"))).toBe("known");
    shard.dispatcher.drop(shard.member("w"), "a");
    expect(candidateOf(shard.member("w"))).toMatchObject({ held: 1, free: 0 });
    shard.dispatcher.drop(shard.member("w"), "b");
    expect(candidateOf(shard.member("w"))).toMatchObject({ held: 0, free: 1 });
  });

  test("counts for no limit of its type, once", () => {
    const shard = new ShardBench({
      ...NO_POLICY,
      taskTypes: new Map([["resize", { maxConcurrent: 1, rate: null, ramp: null }]]),
    });
    shard.connect("v", 2);
    shard.connect("w", 2);
    for (const id of ["a", "b", "c"]) shard.offer(offerFor(id));
    expect(shard.whereabouts.waiting).toEqual(["b#1", "c#1"]);
    giveBack(shard, "v", "a");
    giveBack(shard, "v", "a");
    expect(shard.whereabouts.waiting).toEqual(["c#1"]);
    shard.dispatcher.drop(shard.member("v"), "a");
    shard.dispatcher.pump(shard.now);
    expect(shard.whereabouts.waiting).toEqual(["c#1"]);
  });

  test("is with its worker's socket, and after an eviction in the worker's hands", async () => {
    const shard = new ShardBench();
    shard.connect("w");
    shard.offer(offerFor("a"));
    shard.offer(offerFor("b"));
    giveBack(shard, "w", "a");
    await shard.evict();
    expect(shard.whereabouts.held).toEqual(["w:a#1", "w:b#1"]);
    expect(candidateOf(shard.member("w"))).toMatchObject({ held: 2, free: -1 });
  });

  test("leaves a socket that carries as much as it can room for what its worker does", async () => {
    const shard = new ShardBench();
    shard.connect("w", MAX_SOCKET_SLOTS);
    const names = (prefix: string) => Array.from({ length: MAX_SOCKET_SLOTS }, (_, n) => `${prefix}${n}`);
    for (const id of [...names("a"), ...names("b")]) shard.offer(offerFor(id));
    giveBack(shard, "w", "a0");
    await Promise.resolve();
    expect(carried(shard)).toEqual([...names("a").slice(1), "b0"]);
    for (const id of names("a").slice(1, 10)) giveBack(shard, "w", id);
    for (const id of names("b").slice(0, 5)) giveBack(shard, "w", id);
    await Promise.resolve();
    expect(carried(shard)).toHaveLength(MAX_SOCKET_SLOTS);
    const [socket] = shard.sockets;
    expect(serialize(socket?.deserializeAttachment()).length).toBeLessThan(16_384);
  });

  test("is not taken for lost when its worker says that it has no tasks, or comes back without it", async () => {
    const shard = new ShardBench();
    const member = shard.register("w");
    shard.poll("w");
    shard.offer(offerFor("a"));
    shard.dispatcher.reported(member, "a");
    shard.leases.reconcile(member, [], 0, T0);
    shard.leases.resume(member, [], T0);
    await shard.alarmGoesOff();
    expect(shard.told).toEqual([]);
    expect(shard.store.leases()).toHaveLength(1);
  });

  test("goes to others a lease after its job could not be told", async () => {
    const shard = new ShardBench();
    shard.connect("w");
    shard.offer(offerFor("a"));
    const member = shard.member("w");
    shard.dispatcher.reported(member, "a");
    const held = member.leases.get("a");
    if (held !== undefined) shard.leases.unanswered(member, held, T0);
    shard.now = T0 + 59_999;
    await shard.alarmGoesOff();
    expect(shard.told).toEqual([]);
    shard.now += 1;
    await shard.alarmGoesOff();
    expect(shard.told).toEqual([["a", 1, "worker_gone"]]);
    expect(shard.whereabouts.held).toEqual([]);
  });

  test("goes to others a lease after its job could not be told, though the shard forgot it meanwhile", async () => {
    const shard = new ShardBench();
    shard.connect("w");
    shard.offer(offerFor("a"));
    const member = shard.member("w");
    shard.dispatcher.reported(member, "a");
    const held = member.leases.get("a");
    if (held !== undefined) shard.leases.unanswered(member, held, T0);
    await shard.evict();
    expect(shard.whereabouts.held).toEqual(["w:a#1"]);
    shard.now = T0 + 60_000;
    await shard.alarmGoesOff();
    expect(shard.told).toEqual([["a", 1, "worker_gone"]]);
    await shard.evict();
    expect(shard.whereabouts.held).toEqual([]);
    expect(candidateOf(shard.member("w"))).toMatchObject({ held: 0, free: 1 });
  });

  test("that is sent once more is waited for anew", async () => {
    const shard = new ShardBench();
    shard.connect("w");
    shard.offer(offerFor("a"));
    const member = shard.member("w");
    shard.dispatcher.reported(member, "a");
    const held = member.leases.get("a");
    if (held !== undefined) shard.leases.unanswered(member, held, T0);
    shard.dispatcher.reported(member, "a");
    shard.now = T0 + 3_600_000;
    await shard.alarmGoesOff();
    expect(shard.told).toEqual([]);
  });
});
