import { serialize } from "node:v8";
import { beforeEach, describe, expect, test } from "vitest";
import { readLeases } from "../../../durable-objects/registry-shard/lease.ts";
import { readAttachment } from "../../../durable-objects/registry-shard/sockets.ts";
import { parsePolicy } from "../../../src/dispatch/policy.ts";
import { offerFor } from "../../support/dispatch-builders.ts";
import { FakeWorkerSocket } from "../../support/fake-worker-socket.ts";
import { T0 } from "../../support/job-builders.ts";
import { ShardBench } from "../../support/shard-bench.ts";

let shard: ShardBench;

beforeEach(() => {
  shard = new ShardBench();
});

describe("an offered task", () => {
  test("goes to a worker with a free slot at once, over its socket, and costs no row", async () => {
    const socket = shard.connect("w");
    shard.sqlite.writes.length = 0;
    expect(shard.offer(offerFor("t", { attempt: 2 }))).toBe("assigned");
    expect(socket.sent).toMatchObject([{ type: "task", task: { task_id: "t", attempt: 2, lease: "lease-of-t" } }]);
    await Promise.resolve();
    const kept = readAttachment(socket.asWebSocket());
    expect(kept?.kind === "worker" && readLeases(kept)).toEqual([
      { jobId: "job", taskId: "t", attempt: 2, word: "lease-of-t", type: "resize", client: "alice", since: T0 },
    ]);
    expect(shard.sqlite.writes).toEqual([]);
  });

  test("goes to the best of the workers it names, however many others are free", () => {
    const cost = (n: number) => (n === 9 ? 2 : n === 7 ? 3 : 1);
    for (let n = 0; n < 20; n += 1) {
      shard.register(`w${n}`, ["resize"], { cost_per_second: cost(n) });
      shard.connect(`w${n}`);
    }
    expect(shard.offer(offerFor("t", { requiredWorkers: ["w7", "w9", "away"] }))).toBe("assigned");
    expect(shard.offer(offerFor("u", { requiredWorkers: ["w7"] }))).toBe("assigned");
    expect(shard.roster.holderOf("t")?.id).toBe("w9");
    expect(shard.roster.holderOf("u")?.id).toBe("w7");
    expect(shard.offer(offerFor("v", { requiredWorkers: ["w7"] }))).toBe("waiting");
  });

  test("goes down a waiting poll, whose lease is a row with an alarm, and each poll takes one", () => {
    const poll = shard.poll("w");
    expect(shard.offer(offerFor("t"))).toBe("assigned");
    expect(poll.sent).toMatchObject([{ task_id: "t" }]);
    expect(poll.deserializeAttachment()).toEqual({ kind: "poll", workerId: "w", taskId: "t" });
    expect(shard.store.leases()).toMatchObject([{ workerId: "w", lease: { taskId: "t" }, expiresAt: null }]);
    expect(shard.sqlite.alarms).toEqual([shard.member("w").expiresAt]);
    expect(shard.offer(offerFor("u"))).toBe("waiting");
  });

  test("waits as a row when nobody can take it now", () => {
    shard.connect("full");
    shard.offer(offerFor("t0"));
    shard.connect("other", 1, ["crop"]);
    shard.register("silent");
    expect(shard.offer(offerFor("t1"))).toBe("waiting");
    expect(shard.whereabouts).toEqual({ held: ["full:t0#1"], waiting: ["t1#1"] });
    expect([
      shard.dispatcher.waitingCount,
      shard.dispatcher.isWaiting("t1", 1),
      shard.dispatcher.isWaiting("t1", 2),
    ]).toEqual([1, true, false]);
  });

  test("waits when the only free worker is ruled out", () => {
    shard.connect("w");
    expect(shard.offer(offerFor("t", { maxCost: 1 }))).toBe("waiting");
    expect(shard.offer(offerFor("u"))).toBe("assigned");
  });

  test("goes to another worker when the first turns out to be gone, and waits when all are", () => {
    shard.connect("a").broken = true;
    const second = shard.connect("b");
    expect(shard.offer(offerFor("t"))).toBe("assigned");
    expect(second.sent).toHaveLength(1);
    shard.poll("c").broken = true;
    expect(shard.offer(offerFor("u"))).toBe("waiting");
    expect(shard.whereabouts).toEqual({ held: ["b:t#1"], waiting: ["u#1"] });
  });

  test("goes to the worker that the strategy chooses", () => {
    shard.register("dear", ["resize"], { cost_per_second: 2 });
    shard.register("cheap", ["resize"], { cost_per_second: 1 });
    for (const id of ["dear", "cheap"]) shard.connect(id);
    shard.offer(offerFor("t", { strategy: "cheapest" }));
    expect(shard.whereabouts.held).toEqual(["cheap:t#1"]);
  });
});

describe("a task offered again", () => {
  test("at the same or an older attempt changes nothing, whether it waits or is held", () => {
    shard.offer(offerFor("t", { attempt: 2 }));
    expect(shard.offer(offerFor("t", { attempt: 2 }))).toBe("known");
    expect(shard.offer(offerFor("t", { attempt: 1 }))).toBe("known");
    const socket = shard.connect("w", 2);
    expect(shard.offer(offerFor("t", { attempt: 2 }))).toBe("known");
    expect(shard.offer(offerFor("t", { attempt: 1 }))).toBe("known");
    expect(socket.sent).toHaveLength(1);
    expect(shard.whereabouts).toEqual({ held: ["w:t#2"], waiting: [] });
  });

  test("at a newer attempt takes the place of the older one that waits", () => {
    shard.offer(offerFor("t", { attempt: 1 }));
    expect(shard.offer(offerFor("t", { attempt: 2 }))).toBe("waiting");
    expect(shard.whereabouts.waiting).toEqual(["t#2"]);
    expect([shard.dispatcher.waitingCount, shard.dispatcher.waitingAttempt("t")]).toEqual([1, 2]);
  });

  test("at a newer attempt ends the lease of the older one", () => {
    shard.connect("w");
    shard.offer(offerFor("t", { attempt: 1 }));
    expect(shard.offer(offerFor("t", { attempt: 2 }))).toBe("assigned");
    expect(shard.whereabouts).toEqual({ held: ["w:t#2"], waiting: [] });
  });
});

describe("a worker that becomes free", () => {
  test("is filled with what it can take, the most important first, then the oldest", () => {
    shard.offer(offerFor("old"));
    shard.offer(offerFor("crop", { type: "crop", priority: 9 }));
    shard.offer(offerFor("urgent", { priority: 5 }));
    shard.offer(offerFor("new"));
    const socket = shard.connect("w", 2);
    expect(socket.sent.map((frame) => frame["task"])).toMatchObject([{ task_id: "urgent" }, { task_id: "old" }]);
    expect(shard.whereabouts.waiting).toEqual(["crop#1", "new#1"]);
    shard.finish("urgent");
    expect(shard.whereabouts).toEqual({ held: ["w:new#1", "w:old#1"], waiting: ["crop#1"] });
  });

  test("passes over a task that it cannot take without holding up those behind", () => {
    shard.offer(offerFor("needs-gpu", { priority: 5, requirements: { gpu_info: {} } }));
    shard.offer(offerFor("plain"));
    shard.connect("w");
    expect(shard.whereabouts).toEqual({ held: ["w:plain#1"], waiting: ["needs-gpu#1"] });
  });

  test("takes one task with each poll", () => {
    shard.offer(offerFor("t"));
    shard.offer(offerFor("u"));
    expect(shard.poll("w").sent).toMatchObject([{ task_id: "t" }]);
    expect(shard.poll("w").sent).toMatchObject([{ task_id: "u" }]);
    expect(shard.whereabouts.held).toEqual(["w:t#1", "w:u#1"]);
  });

  test("leaves the task waiting when it turns out to be gone", () => {
    shard.offer(offerFor("t"));
    const member = shard.register("w");
    shard.connect("w", 0).broken = true;
    member.slots = 1;
    shard.roster.refresh(member);
    shard.dispatcher.fill(member, shard.now);
    expect(shard.whereabouts).toEqual({ held: [], waiting: ["t#1"] });
    expect(shard.roster.typesOf(member).size).toBe(0);
  });
});

describe("a task that nobody wants any more", () => {
  test("stops waiting", () => {
    shard.offer(offerFor("t"));
    expect([shard.dispatcher.withdraw("t"), shard.dispatcher.withdraw("t")]).toEqual([true, false]);
    expect([shard.dispatcher.waitingAttempt("t"), shard.store.waiting(T0)]).toEqual([null, []]);
  });

  test.each(["connect", "poll"] as const)(
    "gives back the slot of a worker that came by %s, wherever the lease was kept",
    async (how) => {
      const socket = shard[how]("w");
      shard.offer(offerFor("t"));
      expect(shard.dispatcher.drop(shard.member("w"), "t")).toMatchObject({ taskId: "t", attempt: 1 });
      expect(shard.dispatcher.drop(shard.member("w"), "t")).toBeNull();
      expect([shard.whereabouts.held, shard.store.leases()]).toEqual([[], []]);
      await Promise.resolve();
      if (how === "connect") expect(socket.deserializeAttachment()).toMatchObject({ leases: [] });
    },
  );
});

describe("after an eviction", () => {
  test("everything is where it was", async () => {
    shard.connect("socket", 2);
    shard.poll("poller");
    for (const id of ["a", "b", "c", "d"]) shard.offer(offerFor(id, { attempt: 3 }));
    const before = shard.whereabouts;
    expect(before).toMatchObject({ held: { length: 3 }, waiting: { length: 1 } });
    await shard.evict();
    expect(shard.whereabouts).toEqual(before);
    expect(shard.offer(offerFor("d", { attempt: 3 }))).toBe("known");
    expect(shard.offer(offerFor("a", { attempt: 3 }))).toBe("known");
    shard.finish("b");
    expect(shard.whereabouts).toEqual({ held: ["poller:a#3", "socket:c#3", "socket:d#3"], waiting: [] });
  });
});

describe("round_robin", () => {
  test("takes turns among workers with several slots", () => {
    for (const id of ["a", "b"]) shard.connect(id, 4);
    for (const [n, id] of ["t0", "t1", "t2", "t3"].entries()) {
      shard.now = T0 + n + 1;
      shard.offer(offerFor(id, { strategy: "round_robin" }));
    }
    expect([shard.member("a").leases.size, shard.member("b").leases.size]).toEqual([2, 2]);
  });

  test("takes turns within one moment, too: a fan-out is offered at once", () => {
    for (const id of ["a", "b"]) shard.connect(id, 4);
    for (const id of ["t0", "t1", "t2", "t3"]) shard.offer(offerFor(id, { strategy: "round_robin" }));
    expect([shard.member("a").leases.size, shard.member("b").leases.size]).toEqual([2, 2]);
  });
});

describe("a slot that comes free while others wait", () => {
  test("because a newer attempt went elsewhere is filled at once", () => {
    shard.connect("a");
    shard.offer(offerFor("t", { attempt: 1 }));
    shard.offer(offerFor("u"));
    shard.register("b", ["resize"], { hot_cache: ["resize"] });
    shard.member("b").slots = 0;
    const idle = shard.connect("b", 0);
    Object.assign(shard.member("b"), { slots: 1 });
    shard.roster.refresh(shard.member("b"));
    expect(shard.offer(offerFor("t", { attempt: 2 }))).toBe("assigned");
    expect(idle.sent).toHaveLength(1);
    expect(shard.whereabouts).toEqual({ held: ["a:u#1", "b:t#2"], waiting: [] });
  });
});

test("a task keeps its place in the line when the worker it was about to go to turns out to be gone", () => {
  for (const id of ["first", "second"]) shard.offer(offerFor(id));
  const member = shard.register("w");
  const poll = new FakeWorkerSocket();
  poll.close();
  member.polls.add(poll.asWebSocket());
  shard.roster.refresh(member);
  shard.dispatcher.fill(member, shard.now);
  expect(shard.whereabouts.waiting).toEqual(["first#1", "second#1"]);
});

describe("a limit", () => {
  const policyOf = (toml: string) => {
    const parsed = parsePolicy(toml);
    if (!parsed.ok) throw new Error(parsed.error);
    return parsed.value;
  };

  test("of tasks at once holds tasks back while workers are free, and lets the next go when one ends, whoever takes it", async () => {
    shard = new ShardBench(policyOf("[task_types.resize]\nmax_concurrent = 2"));
    for (const id of ["a", "b", "c"]) shard.connect(id, 2, ["resize", "crop"]);
    for (const id of ["t0", "t1", "t2", "t3"]) shard.offer(offerFor(id));
    shard.offer(offerFor("c0", { type: "crop" }));
    expect(shard.whereabouts).toMatchObject({ held: { length: 3 }, waiting: ["t2#1", "t3#1"] });
    expect(shard.dispatcher.lookAt("t2", shard.now)?.block).toMatchObject({ kind: "concurrency", limit: 2 });
    await shard.evict();
    shard.finish("t0");
    expect(shard.whereabouts.waiting).toEqual(["t3#1"]);
    shard.finish("t1");
    shard.finish("t2");
    expect(shard.whereabouts).toMatchObject({ held: { length: 2 }, waiting: [] });
  });

  test("of one client leaves the workers to the others", () => {
    shard = new ShardBench(policyOf("[clients.alice]\nmax_concurrent = 1"));
    shard.connect("w", 3);
    for (const id of ["t0", "t1"]) shard.offer(offerFor(id));
    expect(shard.offer(offerFor("b0", { client: "bob" }))).toBe("assigned");
    expect(shard.whereabouts).toEqual({ held: ["w:b0#1", "w:t0#1"], waiting: ["t1#1"] });
  });

  test("that lets nothing pass wakes nobody", () => {
    shard = new ShardBench(policyOf("[task_types.resize]\nrate_limit = 0"));
    shard.connect("w");
    expect(shard.offer(offerFor("t0"))).toBe("waiting");
    expect(shard.sqlite.alarms).toEqual([]);
  });

  test("of a rate sets the alarm for the next task, which then goes to any worker that fits", async () => {
    shard = new ShardBench(policyOf("[task_types.resize]\nrate_limit = 1\nrate_period_seconds = 10"));
    shard.connect("w", 3);
    for (const id of ["t0", "t1", "t2"]) shard.offer(offerFor(id));
    expect(shard.whereabouts).toEqual({ held: ["w:t0#1"], waiting: ["t1#1", "t2#1"] });
    expect(shard.sqlite.alarms.at(-1)).toBe(T0 + 10_000);
    await shard.evict();
    shard.now = T0 + 10_000;
    await shard.alarmGoesOff();
    expect(shard.whereabouts).toEqual({ held: ["w:t0#1", "w:t1#1"], waiting: ["t2#1"] });
    expect(shard.sqlite.alarms.at(-1)).toBe(T0 + 20_000);
    // One that comes the moment the next may go does not jump the line.
    shard.now = T0 + 20_000;
    shard.offer(offerFor("t3"));
    expect(shard.whereabouts.waiting).toEqual(["t3#1"]);
  });
});

test("what a worker held that has left for another shard makes room for others here", () => {
  const parsed = parsePolicy("[task_types.resize]\nmax_concurrent = 1");
  if (!parsed.ok) throw new Error(parsed.error);
  shard = new ShardBench(parsed.value);
  shard.connect("leaves");
  shard.offer(offerFor("t1"));
  shard.connect("stays");
  shard.offer(offerFor("t2"));
  const leaves = shard.member("leaves");
  shard.dispatcher.drop(leaves, "t1");
  shard.roster.remove(leaves);
  shard.dispatcher.workerLeft(shard.now);
  expect(shard.whereabouts).toEqual({ held: ["stays:t2#1"], waiting: [] });
});

test("64 leases and their names fit an attachment", async () => {
  const job = "0f3a2b54-6c1d-4e8f-9a7b-5d2c4e6f8a1b";
  const socket = shard.connect("w", 64, ["a-rather-long-task-type-name-of-fifty-characters-ok", "resize"]);
  for (let n = 0; n < 64; n += 1) {
    const taskId = `${job}-${n}`;
    shard.offer(
      offerFor(taskId, { jobId: job, client: `client-${n}-with-a-name-of-some-length`, lease: "0f3a2b54-6c1d-4e8f" }),
    );
  }
  shard.roster.keep(shard.member("w"));
  await Promise.resolve();
  expect(serialize(socket.deserializeAttachment()).byteLength).toBeLessThan(12_000);
});
