import { expect, test } from "vitest";
import { parsePolicy } from "../../../src/dispatch/policy.ts";
import { strategy } from "../../../src/dispatch/strategies.ts";
import { offerFor } from "../../support/dispatch-builders.ts";
import { ShardBench } from "../../support/shard-bench.ts";

const broken = strategy("broken", () => {
  throw new Error("no ranks today");
});

test("a strategy that throws does not keep other tasks from the places that a limit sets free", () => {
  const policy = parsePolicy("[clients.alice]\nmax_concurrent = 1");
  const shard = new ShardBench(policy.ok ? policy.value : undefined);
  shard.connect("one", 2);
  shard.connect("two", 2);
  expect(shard.offer(offerFor("first"))).toBe("assigned");
  expect(shard.offer(offerFor("blocked", { strategy: broken, priority: 9 }))).toBe("waiting");
  expect(shard.offer(offerFor("next"))).toBe("waiting");
  shard.finish("first");
  expect(shard.whereabouts).toEqual({ held: [expect.stringMatching(/:next#1$/)], waiting: ["blocked#1"] });
});
