import { serialize } from "node:v8";
import { beforeEach, describe, expect, test } from "vitest";
import { sealKeys } from "../../../src/access/sealed-keys.ts";
import { MAX_SOCKET_SLOTS } from "../../../src/limits.ts";
import { offerFor } from "../../support/dispatch-builders.ts";
import { T0 } from "../../support/job-builders.ts";
import { ShardBench } from "../../support/shard-bench.ts";

const TTL = 120_000;
const LEASE = 60_000;
const GRACE = 10_000;

let shard: ShardBench;

beforeEach(() => {
  shard = new ShardBench();
});

const claim = (task_id: string, attempt = 1) => ({ job_id: "job", task_id, attempt, lease: `lease-of-${task_id}` });

/** Time passes and the alarm goes off. */
async function at(ms: number): Promise<void> {
  shard.now = T0 + ms;
  await shard.alarmGoesOff();
}

describe("a worker is alive", () => {
  test("while its registration lasts, when it polls", () => {
    const member = shard.register("w");
    expect([shard.leases.isAlive(member, T0 + TTL - 1), shard.leases.isAlive(member, T0 + TTL)]).toEqual([true, false]);
    shard.leases.renew(member, T0 + 50);
    expect(shard.leases.isAlive(member, T0 + TTL + 49)).toBe(true);
  });

  test("while its words or pings come in, when it takes tasks by socket", () => {
    const socket = shard.connect("w").asWebSocket();
    const alive = (ms: number) => shard.leases.isAlive(shard.member("w"), T0 + ms);
    expect([alive(LEASE - 1), alive(LEASE)]).toEqual([true, false]);
    shard.pongs.set(socket, T0 + 30_000);
    expect([alive(LEASE + 29_999), alive(LEASE + 30_000)]).toEqual([true, false]);
  });
});

describe("a sign of life", () => {
  const rowsWritten = () => shard.sqlite.writes.filter((query) => query.includes("workers")).length;

  test("of a polling worker is written only when half of its time is over, since each write is billed", () => {
    const member = shard.register("w");
    const before = rowsWritten();
    shard.leases.renew(member, T0 + TTL / 2);
    expect(rowsWritten()).toBe(before);
    shard.leases.renew(member, T0 + TTL / 2 + 1);
    expect(rowsWritten()).toBe(before + 1);
    expect(shard.store.workers()).toMatchObject([{ info: { worker_id: "w" }, expiresAt: T0 + TTL / 2 + 1 + TTL }]);
  });

  test("of a worker that takes tasks by socket is not written", () => {
    shard.connect("w");
    const before = rowsWritten();
    shard.leases.renew(shard.member("w"), T0 + 10 * TTL);
    expect(rowsWritten()).toBe(before);
  });

  test("of one that never registered makes no row", () => {
    shard.leases.renew(shard.roster.member("stranger", T0), T0);
    expect(shard.store.workers()).toEqual([]);
  });
});

describe("a worker whose socket breaks", () => {
  test("has a grace to come back and keep what it holds", async () => {
    shard.connect("w");
    shard.offer(offerFor("t"));
    shard.disconnect("w");
    expect(shard.store.leases()).toMatchObject([{ workerId: "w", lease: { taskId: "t" }, expiresAt: T0 + GRACE }]);
    expect(shard.sqlite.alarms).toEqual([T0 + GRACE]);
    await at(GRACE - 1);
    expect(shard.leases.resume(shard.member("w"), [claim("t")], shard.now)).toEqual({
      kept: [claim("t")],
      unproven: [],
    });
    expect(shard.store.leases()).toEqual([]);
    await at(TTL * 2);
    expect([shard.told, shard.whereabouts.held]).toEqual([[], ["w:t#1"]]);
  });

  test("loses what it holds when it stays away: the job is told, the lease is gone", async () => {
    shard.connect("w");
    shard.offer(offerFor("t", { attempt: 3 }));
    shard.disconnect("w");
    await at(GRACE);
    expect(shard.told).toEqual([["t", 3, "worker_gone"]]);
    expect([shard.whereabouts.held, shard.store.leases()]).toEqual([[], []]);
  });

  test("is waited for over an eviction", async () => {
    shard.connect("w");
    shard.offer(offerFor("t"));
    shard.disconnect("w");
    await shard.evict();
    await at(GRACE);
    expect(shard.told).toEqual([["t", 1, "worker_gone"]]);
  });

  test("that comes back without a task has it offered anew, and keeps the others", async () => {
    shard.connect("w", 2);
    for (const id of ["kept", "forgotten"]) shard.offer(offerFor(id));
    shard.disconnect("w");
    shard.now = T0 + 1_000;
    shard.connect("w", 2, ["resize"], [claim("kept")]);
    expect(shard.sqlite.alarms.at(-1)).toBe(T0 + 1_000);
    await at(1_000);
    expect(shard.told).toEqual([["forgotten", 1, "worker_gone"]]);
    expect(shard.whereabouts.held).toEqual(["w:kept#1"]);
  });
});

describe("a claim of a worker that comes back", () => {
  const resume = (...claims: ReturnType<typeof claim>[]) => shard.leases.resume(shard.member("w"), claims, shard.now);

  test("is honoured for a task that nobody here knows any more, without a proof", () => {
    shard.register("w");
    expect(resume(claim("t", 4))).toEqual({ kept: [claim("t", 4)], unproven: [claim("t", 4)] });
    expect(shard.whereabouts.held).toEqual(["w:t#4"]);
  });

  test("is honoured for the attempt that waits, which then waits no longer", () => {
    shard.register("w");
    shard.offer(offerFor("t", { attempt: 2 }));
    expect(resume(claim("t", 2))).toEqual({ kept: [claim("t", 2)], unproven: [] });
    expect(shard.whereabouts).toEqual({ held: ["w:t#2"], waiting: [] });
  });

  test("is refused when a later attempt waits or is held, by whomever", () => {
    shard.register("w");
    shard.offer(offerFor("waits", { attempt: 2 }));
    shard.connect("other", 1, ["crop"]);
    shard.offer(offerFor("held", { attempt: 2, type: "crop" }));
    expect(resume(claim("waits", 1), claim("held", 1), claim("held", 2))).toEqual({ kept: [], unproven: [] });
    expect(shard.whereabouts).toEqual({ held: ["other:held#2"], waiting: ["waits#2"] });
  });
});

describe("a polling worker", () => {
  test("keeps its lease as long as it gives signs of life", async () => {
    shard.poll("w");
    shard.offer(offerFor("t"));
    shard.leases.renew(shard.member("w"), T0 + 100_000);
    await at(TTL);
    expect(shard.told).toEqual([]);
    expect(shard.sqlite.alarms.at(-1)).toBe(T0 + 100_000 + TTL);
  });

  test("loses its lease when it gives none, and is forgotten after a day", async () => {
    shard.poll("w");
    shard.offer(offerFor("t"));
    await at(TTL);
    expect(shard.told).toEqual([["t", 1, "worker_gone"]]);
    expect(shard.store.workers()).toMatchObject([{ info: { worker_id: "w" }, lapsed: true }]);
    await at(TTL + 24 * 3_600_000);
    expect([shard.roster.get("w"), shard.store.workers()]).toEqual([null, []]);
  });
});

describe("a job that cannot be told of a loss", () => {
  test("is told again a little later, and the lease is kept until then", async () => {
    shard.connect("w");
    shard.offer(offerFor("t"));
    shard.disconnect("w");
    shard.jobsAreAway = true;
    await at(GRACE);
    expect(shard.whereabouts.held).toEqual(["w:t#1"]);
    expect(shard.sqlite.alarms.at(-1)).toBe(T0 + GRACE + 5_000);
    shard.jobsAreAway = false;
    await at(GRACE + 5_000);
    expect(shard.told).toEqual([["t", 1, "worker_gone"]]);
    expect(shard.whereabouts.held).toEqual([]);
  });
});

describe("the alarm", () => {
  test("is set once for many leases that end together, and anew for one that ends earlier", () => {
    for (const id of ["a", "b"]) {
      shard.poll(id);
      shard.offer(offerFor(`of-${id}`));
    }
    expect(shard.sqlite.alarms).toEqual([T0 + TTL]);
    shard.connect("c");
    shard.offer(offerFor("of-c"));
    shard.disconnect("c");
    expect(shard.sqlite.alarms).toEqual([T0 + TTL, T0 + GRACE]);
  });

  test("is not set anew after an eviction, when it is set already", async () => {
    shard.poll("a");
    shard.offer(offerFor("t"));
    await shard.evict();
    shard.poll("b");
    shard.offer(offerFor("u"));
    expect(shard.sqlite.alarms).toEqual([T0 + TTL]);
  });

  test("is not set again when nothing is left to end", async () => {
    shard.connect("w");
    shard.offer(offerFor("t"));
    shard.disconnect("w");
    await at(GRACE);
    expect(shard.sqlite.alarms).toEqual([T0 + GRACE]);
  });
});

test("the slot of a task that a living worker forgot is filled as soon as its job was told", async () => {
  shard.connect("w");
  shard.offer(offerFor("forgotten"));
  shard.offer(offerFor("waits"));
  shard.disconnect("w");
  shard.connect("w");
  await at(0);
  expect(shard.whereabouts).toEqual({ held: ["w:waits#1"], waiting: [] });
});

test("as many leases as a socket may have slots fit into its attachment, and what its frames are signed with", async () => {
  const type = "a_type_of_sixty_four_characters_".repeat(2);
  const socket = shard.connect("w", MAX_SOCKET_SLOTS, [type]);
  const keys = sealKeys("sixteen or more characters", "w", ["t".repeat(512), "t".repeat(512)]);
  shard.member("w").signing = { keys, session: "s".repeat(64), seq: Number.MAX_SAFE_INTEGER };
  for (let n = 0; n < MAX_SOCKET_SLOTS; n += 1) {
    const jobId = crypto.randomUUID();
    shard.offer(offerFor(`${jobId}-1000`, { jobId, lease: crypto.randomUUID().slice(0, 18), attempt: 1_000, type }));
  }
  expect(shard.member("w").leases.size).toBe(MAX_SOCKET_SLOTS);
  await Promise.resolve();
  expect(serialize(socket.deserializeAttachment()).length).toBeLessThanOrEqual(16_384);
});
