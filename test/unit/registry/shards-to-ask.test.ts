import { describe, expect, test } from "vitest";
import type { Heard, StuckTask } from "../../../src/registry/choose-shard.ts";
import { shardsToAsk } from "../../../src/registry/shards-to-ask.ts";
import { parseShards } from "../../../src/registry/shard-plan.ts";

const parsed = parseShards("weur=10, enam=10, apac=10");
if (!parsed.ok) throw new Error(parsed.error);
const plan = parsed.value;

const task = (over: Partial<StuckTask> = {}): StuckTask => ({
  taskId: "t",
  type: "resize",
  region: "weur",
  shard: "weur-0",
  overdue: true,
  tried: new Set(),
  ...over,
});
const heard = (workers: number, fresh: boolean): Heard => ({
  draining: false,
  counts: { workers, free: 0, waiting: 0 },
  fresh,
});

describe("a waiting task", () => {
  test("asks a few shards who is free, nearer ones more often, others each time", () => {
    const seen = new Map<string, number>();
    for (let i = 0; i < 1_000; i += 1) {
      const asked = shardsToAsk(plan, task(), () => heard(3, false), `t\n${i}`);
      expect(asked.length).toBeLessThanOrEqual(5);
      for (const name of asked) seen.set(name, (seen.get(name) ?? 0) + 1);
    }
    expect(new Set(seen.keys())).toEqual(new Set(plan.names));
    const of = (region: string) =>
      [...seen].filter(([name]) => name.startsWith(region)).reduce((sum, [, count]) => sum + count, 0);
    expect(of("enam")).toBeGreaterThan(of("apac"));
  });

  test("asks nobody what was heard this second", () => {
    expect(shardsToAsk(plan, task(), () => heard(3, true), "t")).toEqual([]);
  });

  test("asks those that had no workers for it only when there are no others", () => {
    const some = (shard: string) =>
      heard(shard === "enam-3" || shard === "apac-3" || shard === "weur-0" ? 1 : 0, false);
    const far = shardsToAsk(plan, task(), some, "t").filter((shard) => !shard.startsWith("weur"));
    expect(far.toSorted()).toEqual(["apac-3", "enam-3"]);
  });

  test("asks all that were not heard of lately when its own shard has no worker for it", () => {
    const hopeless = (shard: string) => (shard === "weur-0" ? heard(0, true) : null);
    for (const overdue of [true, false]) {
      expect(shardsToAsk(plan, task({ overdue }), hopeless, "t").toSorted()).toEqual(
        plan.names.filter((name) => name !== "weur-0").toSorted(),
      );
    }
    expect(shardsToAsk(plan, task({ shard: "gone-0" }), () => null, "t").length).toBe(30);
  });

  test("asks nothing but after its own shard while it is not overdue", () => {
    expect(shardsToAsk(plan, task({ overdue: false }), () => heard(3, false), "t")).toEqual(["weur-0"]);
    expect(shardsToAsk(plan, task({ overdue: false }), () => null, "t")).toEqual(["weur-0"]);
  });
});
