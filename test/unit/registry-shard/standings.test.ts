import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { migrateShard } from "../../../durable-objects/registry-shard/shard-schema.ts";
import { GOOD, whyBarred, type Drain } from "../../../durable-objects/registry-shard/standing.ts";
import { StandingStore } from "../../../durable-objects/registry-shard/standing-store.ts";
import { Standings } from "../../../durable-objects/registry-shard/standings.ts";
import { T0 } from "../../support/job-builders.ts";
import { sqliteStorage, type SqliteStorage } from "../../support/sqlite-storage.ts";

const SETTINGS = { rewardSuccess: 0.001, penaltyTaskFailure: 0.05, penaltyContractViolation: 0.2, minThreshold: 0.3 };
const DAY = 86_400_000;
const DRAIN: Drain = { since: T0, deadline: null, reason: null };

let sqlite: SqliteStorage;
let standings: Standings;

const ratesOf = (workerId: string, rate: number) => new Map([[workerId, { rate, results: 1_000 }]]);
const isHere = () => true;
const wake = () => new Standings(new StandingStore(sqlite.storage.sql), SETTINGS);
const written = () => sqlite.writes.filter((query) => query.includes("standings")).length;

beforeEach(() => {
  sqlite = sqliteStorage();
  migrateShard(sqlite.storage);
  standings = wake();
  sqlite.writes.length = 0;
});

describe("a worker of good standing", () => {
  test("costs no row, however much it does", () => {
    for (let n = 0; n < 100; n += 1) expect(standings.judge("w", "success", "task", T0)).toBe(false);
    expect(standings.review(new Map(), true, isHere, T0)).toEqual([]);
    expect(standings.of("w")).toEqual(GOOD);
    expect([written(), standings.knows("w")]).toEqual([0, false]);
  });
});

describe("a failure", () => {
  test("is written at once, with its reason, and survives an eviction", () => {
    expect(standings.judge("w", "contract_violation", "task t: CONTRACT_VIOLATION_ERROR", T0)).toBe(true);
    standings = wake();
    expect(standings.of("w")).toMatchObject({
      reputation: 0.8,
      changedAt: T0,
      why: "task t: CONTRACT_VIOLATION_ERROR",
    });
  });

  test("is made good by successes, which are written some at a time; at 1 the row is gone", () => {
    standings.judge("w", "task_failure", "task", T0);
    const before = written();
    for (let n = 0; n < 50; n += 1) standings.judge("w", "success", "task", T0);
    expect(standings.of("w")).toEqual(GOOD);
    expect(written() - before).toBe(3);
    expect(wake().knows("w")).toBe(false);
  });

  test("costs what was not yet written when the object loses its memory, and no more", () => {
    standings.judge("w", "task_failure", "task", T0);
    for (let n = 0; n < 30; n += 1) standings.judge("w", "success", "task", T0);
    expect(standings.of("w").reputation).toBe(0.98);
    expect(wake().of("w").reputation).toBe(0.97);
  });
});

describe("the hourly review", () => {
  test("brings a reputation near to the rate, and says so; it writes what changes and no more", () => {
    const rates = ratesOf("bad", 0.5);
    expect(standings.review(rates, true, isHere, T0)).toEqual(["bad"]);
    expect(standings.of("bad")).toMatchObject({
      reputation: 0.65,
      changedAt: T0,
      why: "50 % of its tasks in 30 days succeeded",
    });
    for (let hour = 0; hour < 20; hour += 1) standings.review(rates, true, isHere, T0);
    const before = written();
    expect(standings.review(rates, true, isHere, T0)).toEqual([]);
    expect([wake().of("bad").reputation, written()]).toEqual([0.5, before]);
  });

  test("makes a worker good again that history says nothing bad of", () => {
    standings.judge("w", "contract_violation", "task", T0);
    for (let hour = 0; hour < 12; hour += 1) standings.review(new Map(), true, isHere, T0);
    expect(wake().knows("w")).toBe(false);
  });

  test("of a sample leaves those alone whom it does not name", () => {
    standings.judge("w", "contract_violation", "task", T0);
    expect(standings.review(ratesOf("other", 0.5), false, isHere, T0)).toEqual(["other"]);
    expect(standings.of("w").reputation).toBe(0.8);
  });

  test("writes rewards that were not written yet", () => {
    standings.judge("w", "contract_violation", "task", T0);
    standings.judge("w", "success", "task", T0);
    standings.review(ratesOf("w", 0.801), true, isHere, T0);
    expect(wake().of("w").reputation).toBe(0.801);
  });
});

describe("a reset", () => {
  test("makes the reputation 1, and history before it does not count; a drain stays", () => {
    standings.judge("w", "contract_violation", "task", T0);
    standings.drain("w", DRAIN);
    standings.reset("w", "reset by admin", T0 + 5);
    standings = wake();
    expect(standings.of("w")).toEqual({
      reputation: 1,
      changedAt: T0 + 5,
      why: "reset by admin",
      countsFrom: T0 + 5,
      drain: DRAIN,
    });
    expect(standings.resets()).toEqual([{ workerId: "w", at: T0 + 5 }]);
  });

  test("is forgotten once all that it hides is too old to count", () => {
    standings.reset("w", "reset by admin", T0);
    standings.review(new Map(), true, isHere, T0 + 30 * DAY);
    expect(standings.resets()).toHaveLength(1);
    standings.review(new Map(), true, isHere, T0 + 30 * DAY + 1);
    expect([standings.resets(), wake().knows("w")]).toEqual([[], false]);
  });
});

describe("a worker that has gone for good", () => {
  const isGone = () => false;

  test("leaves nothing once what was said of it is older than what history counts", () => {
    standings.drain("drained", DRAIN);
    standings.judge("failed", "task_failure", "task", T0);
    const rates = ratesOf("drained", 1);
    standings.review(rates, false, isGone, T0 + 30 * DAY);
    expect([wake().knows("drained"), wake().knows("failed")]).toEqual([true, true]);
    standings.review(rates, false, isHere, T0 + 30 * DAY + 1);
    expect([wake().knows("drained"), wake().knows("failed")]).toEqual([true, true]);
    standings.review(rates, false, isGone, T0 + 30 * DAY + 1);
    expect([standings.any, wake().any]).toEqual([false, false]);
  });

  test("is drained on while the drain has a deadline ahead", () => {
    standings.drain("w", { ...DRAIN, deadline: T0 + 30 * DAY });
    standings.review(new Map(), true, isGone, T0 + 59 * DAY);
    expect(wake().of("w").drain).not.toBeNull();
  });
});

describe("a drain", () => {
  test("stays until it is taken back, and leaves no row then", () => {
    standings.drain("w", DRAIN);
    expect(wake().of("w").drain).toEqual(DRAIN);
    standings.drain("w", null);
    expect(wake().knows("w")).toBe(false);
  });

  test("of the shard is one row", () => {
    standings.drainShard(DRAIN);
    standings.drainShard({ ...DRAIN, deadline: T0 + 1 });
    expect(wake().shardDrain).toEqual({ ...DRAIN, deadline: T0 + 1 });
    standings.drainShard(null);
    expect(wake().shardDrain).toBeNull();
  });
});

test("whatever happens, no eviction loses more than a few rewards", () => {
  const step = fc.constantFrom("success", "success", "task_failure", "contract_violation", "evict", "review");
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      sqlite = sqliteStorage();
      migrateShard(sqlite.storage);
      standings = wake();
      for (const each of steps) {
        if (each === "review") standings.review(ratesOf("w", 0.7), true, isHere, T0);
        else if (each === "evict") {
          const before = standings.of("w").reputation;
          standings = wake();
          const lost = before - standings.of("w").reputation;
          expect(lost).toBeGreaterThanOrEqual(0);
          expect(lost).toBeLessThan(0.0201);
        } else standings.judge("w", each, "task", T0);
      }
    }),
  );
});

test("why a worker gets nothing is said by what weighs most", () => {
  const low = { ...GOOD, reputation: 0.2 };
  const idle = { draining: false, info: {} };
  const barred = (
    ...[worker, own, shard]: [typeof idle | { draining: boolean; info: { status: string } }, typeof GOOD, Drain | null]
  ) => whyBarred(worker, own, shard, SETTINGS);
  expect(barred(idle, GOOD, null)).toBeNull();
  expect(barred(idle, low, null)).toBe("reputation 0.2 < 0.3");
  expect(barred({ draining: false, info: { status: "offline" } }, low, null)).toBe("status is offline");
  expect(barred({ draining: true, info: {} }, low, null)).toBe("is draining by its own word");
  expect(barred({ draining: true, info: {} }, low, DRAIN)).toBe("its shard is draining");
  expect(barred(idle, { ...low, drain: { ...DRAIN, reason: "new disk" } }, DRAIN)).toBe("is draining: new disk");
});
