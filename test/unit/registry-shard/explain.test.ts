import { describe, expect, test } from "vitest";
import { explainTasks } from "../../../durable-objects/registry-shard/explain.ts";
import { withOthers, type TaskExplanation } from "../../../src/dispatch/explanation.ts";
import { MAX_EXPLAINED_REASONS, MAX_EXPLAINED_WORKERS } from "../../../src/limits.ts";
import { offerFor } from "../../support/dispatch-builders.ts";
import { ShardBench } from "../../support/shard-bench.ts";

const WANTS = { requirements: { ram_gb: 64 } };

/** A shard with workers of 0 to 31 GB. */
function fleet(count: number): ShardBench {
  const bench = new ShardBench();
  for (let n = 0; n < count; n += 1) bench.register(`w${n}`, ["resize"], { resources: { ram_gb: n % 32 } });
  return bench;
}

/** The explanation of a task that no worker has. */
function seen(found: TaskExplanation | undefined) {
  if (found === undefined || found.is === "held") throw new Error("A worker has it.");
  return found;
}

function explain(bench: ShardBench, count: number) {
  const tasks = Array.from({ length: count }, (_, n) => offerFor(`t${n}`, WANTS));
  for (const task of tasks) bench.dispatcher.place(task, bench.now);
  return explainTasks(bench, tasks, bench.now).map(seen);
}

describe("why a task waits in a large shard", () => {
  test("names some of the workers, and counts the others by what rules them out", () => {
    const bench = fleet(1_000);
    const [found] = explain(bench, 1);
    expect(found).toMatchObject({ is: "waiting", moreWorkers: 1_000 - MAX_EXPLAINED_WORKERS, otherWorkers: 0 });
    expect(found?.workers).toHaveLength(MAX_EXPLAINED_WORKERS);
    expect(found?.moreReasons).toEqual([
      { ruledOut: expect.stringMatching(/^ram_gb \d+ < 64$/), workers: 1_000 - MAX_EXPLAINED_WORKERS },
    ]);
  });

  test("says of the tasks of a fan-out the same, each with its own place", () => {
    const found = explain(fleet(100), 10);
    expect(new Set(found.map(({ workers }) => workers)).size).toBe(1);
    expect(found.map((each) => (each.is === "waiting" ? each.place.place : 0))).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
    ]);
  });

  test("keeps to the bound whatever workers say", () => {
    const bench = new ShardBench();
    const word = (n: number) => String.fromCodePoint(97 + (n % 26), 97 + Math.floor(n / 26)).repeat(10_000);
    for (let n = 0; n < 300; n += 1) bench.register(`w${n}`, ["resize"], { resources: { zone: word(n) } });
    for (let n = 0; n < 100; n += 1) bench.register(`o${n}`, [word(n)]);
    const task = offerFor("t", { requirements: { zone: "weur" } });
    bench.dispatcher.place(task, bench.now);
    const found = seen(explainTasks(bench, [task], bench.now)[0]);
    expect(found.moreReasons).toHaveLength(MAX_EXPLAINED_REASONS);
    expect(found.moreWorkers).toBe(300 - MAX_EXPLAINED_WORKERS);
    expect(found).toMatchObject({ otherWorkers: 100 });
    expect(JSON.stringify(found).length).toBeLessThan(50_000);
  });
});

test("the workers of several shards are counted together", () => {
  const [here, there] = [fleet(80), fleet(60)].map((bench) => explain(bench, 1)[0]);
  const all = seen(withOthers(seen(here), [["enam-0", seen(there)]]));
  expect(all.workers).toHaveLength(MAX_EXPLAINED_WORKERS);
  expect(all.moreWorkers).toBe(140 - MAX_EXPLAINED_WORKERS);
  expect(all.moreReasons?.map(({ workers }) => workers)).toEqual([140 - MAX_EXPLAINED_WORKERS]);
});

test("a shard of before there were counts is heard as well", () => {
  const old = { is: "unknown", workers: [], moreWorkers: 3, otherWorkers: 0, otherTypes: [] } as const;
  expect(withOthers(old, [["enam-0", old]])).toMatchObject({ moreWorkers: 6, moreReasons: [] });
});

describe("why a task waits for workers that it names", () => {
  const asking = (...requiredWorkers: string[]) => offerFor("t", { tags: ["a"], requiredWorkers });
  const look = (bench: ShardBench, task: ReturnType<typeof asking>) => {
    bench.dispatcher.place(task, bench.now);
    return seen(explainTasks(bench, [task], bench.now)[0]);
  };

  test("is told of those first, each with a reason of its own", () => {
    const bench = new ShardBench();
    bench.register("aa", ["resize"], { tags: ["b"] });
    bench.register("other-type", ["cut"]);
    bench.register("zz-only", ["resize"], { tags: ["b"] });
    expect(look(bench, asking("nobody", "zz-only", "other-type", "nobody")).workers).toEqual([
      { workerId: "zz-only", ruledOut: "has no tag a", asked: "here" },
      { workerId: "other-type", ruledOut: "does not take resize", asked: "here" },
      { workerId: "nobody", ruledOut: "is not registered here", asked: "missing" },
      { workerId: "aa", ruledOut: "is not one of the workers that the task asks for" },
    ]);
  });

  test("keeps to the bound", () => {
    const bench = fleet(60);
    const found = look(bench, asking(...Array.from({ length: 100 }, (_, n) => `nobody-${n}`)));
    expect(found.workers).toHaveLength(MAX_EXPLAINED_WORKERS);
    expect(found.moreWorkers).toBe(160 - MAX_EXPLAINED_WORKERS);
  });

  test("with several shards, misses only those that none of them has, and once", () => {
    const [here, there] = [fleet(MAX_EXPLAINED_WORKERS + 1), new ShardBench()];
    there.register("far", ["resize"]);
    const task = asking("far", "nobody");
    const all = seen(withOthers(look(here, task), [["enam-0", look(there, task)]]));
    expect(all.workers.slice(0, 3)).toEqual([
      { workerId: "far", ruledOut: "has no tag a", asked: "here", shard: "enam-0" },
      { workerId: "nobody", ruledOut: "is not registered here", asked: "missing" },
      expect.objectContaining({ ruledOut: "is not one of the workers that the task asks for" }),
    ]);
    expect(all.workers).toHaveLength(MAX_EXPLAINED_WORKERS);
  });
});
