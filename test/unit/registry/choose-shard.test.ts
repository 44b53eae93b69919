import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  chooseShard,
  planMoves,
  type Heard,
  type Hearsay,
  type StuckTask,
} from "../../../src/registry/choose-shard.ts";
import { REGIONS, type Region } from "../../../src/registry/regions.ts";
import { parseShards, shardsNear, type ShardPlan } from "../../../src/registry/shard-plan.ts";

function plan(shards: string): ShardPlan {
  const parsed = parseShards(shards);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

function heard(workers: number, free: number, over: Partial<Heard> & { waiting?: number } = {}): Heard {
  const { waiting = 0, ...rest } = over;
  return { draining: false, fresh: true, counts: { workers, free, waiting }, ...rest };
}

const from =
  (known: Record<string, Heard>): Hearsay =>
  (shard) =>
    known[shard] ?? null;

const wish = (taskId: string, region: Region | null = "weur") => ({ taskId, type: "resize", region });

describe("the shard a task is offered to", () => {
  const shards = plan("weur=3, enam=2");

  test("is one of the wished region when nothing is known", () => {
    const chosen = Array.from({ length: 300 }, (_, i) => chooseShard(shards, wish(`t${i}`), () => null));
    expect(new Set(chosen)).toEqual(new Set(["weur-0", "weur-1", "weur-2"]));
  });

  test("is in the nearest region that has shards, and the first one for no wish", () => {
    expect(chooseShard(shards, wish("t", "wnam"), () => null)).toMatch(/^enam/);
    expect(chooseShard(shards, wish("t", null), () => null)).toMatch(/^weur/);
  });

  test("is the one with a free worker", () => {
    const known = { "weur-0": heard(9, 0), "weur-1": heard(2, 1), "enam-0": heard(9, 9) };
    expect(chooseShard(shards, wish("t"), from(known))).toBe("weur-1");
  });

  test("is in the region even while only others have free workers", () => {
    const known = { "weur-0": heard(9, 0), "weur-1": heard(0, 0), "weur-2": heard(0, 0), "enam-0": heard(9, 9) };
    expect(chooseShard(shards, wish("t"), from(known))).toBe("weur-0");
  });

  test("is in another region when this one is known to have no worker at all", () => {
    const none = heard(0, 0, { fresh: false });
    const known = { "weur-0": none, "weur-1": none, "weur-2": none, "enam-1": heard(3, 0) };
    expect(chooseShard(shards, wish("t"), from(known))).toBe("enam-1");
    expect(chooseShard(shards, wish("t"), from({ ...known, "enam-1": none }))).toMatch(/^weur/);
  });

  test("is more often the one with more free workers", () => {
    const known = from({ "weur-0": heard(10, 1), "weur-1": heard(10, 4), "weur-2": heard(10, 0) });
    const chosen = Array.from({ length: 4_000 }, (_, i) => chooseShard(shards, wish(`t${i}`), known));
    const share = chosen.filter((shard) => shard === "weur-1").length / chosen.length;
    expect(share).toBeGreaterThan(0.77);
    expect(share).toBeLessThan(0.83);
    expect(chosen).not.toContain("weur-2");
  });

  test("takes no word on who is free that is old", () => {
    const known = from({ "weur-0": heard(1, 1, { fresh: false }), "weur-1": heard(1, 0), "weur-2": heard(1, 0) });
    const chosen = Array.from({ length: 300 }, (_, i) => chooseShard(shards, wish(`t${i}`), known));
    expect(new Set(chosen).size).toBe(3);
  });
});

const counts = fc.record({
  draining: fc.boolean(),
  fresh: fc.boolean(),
  counts: fc.record({ workers: fc.nat(3), free: fc.nat(3), waiting: fc.nat(3) }),
});
const world = fc
  .record({
    weur: fc.nat(3),
    enam: fc.nat(3),
    apac: fc.nat(2),
    region: fc.constantFrom(...REGIONS, null),
    tasks: fc.array(
      fc.record({ at: fc.nat(20), overdue: fc.boolean(), tried: fc.array(fc.nat(20), { maxLength: 3 }) }),
      { maxLength: 12 },
    ),
    known: fc.array(fc.option(counts, { nil: null }), { minLength: 9, maxLength: 9 }),
    gone: fc.boolean(),
  })
  .filter(({ weur, enam, apac }) => weur + enam + apac > 0)
  .map(({ weur, enam, apac, region, tasks, known, gone }) => {
    const shards = plan(`weur=${weur}, enam=${enam}, apac=${apac}`);
    const names = gone ? [...shards.names, "shard-0"] : shards.names;
    const nameAt = (i: number) => names[i % names.length] ?? "";
    const byName = new Map(names.map((name, i) => [name, known[i] ?? null]));
    const stuck = tasks.map(({ at, overdue, tried }, i): StuckTask => {
      const before = new Set(tried.map((each) => nameAt(each)));
      return { taskId: `t${i}`, type: "resize", region, shard: nameAt(at), overdue, tried: before };
    });
    const hearsay: Hearsay = (name) => byName.get(name) ?? null;
    return { shards, region, stuck, hearsay };
  });

const freeOf = (each: Heard | null) => (each?.fresh === true ? Math.max(0, each.counts.free - each.counts.waiting) : 0);

describe("whatever is known", () => {
  test("a task goes to an open shard of the plan, to a free one of its region if there is any", () => {
    fc.assert(
      fc.property(world, ({ shards, region, hearsay }) => {
        const chosen = chooseShard(shards, wish("t", region), hearsay);
        expect(shards.names).toContain(chosen);
        const open = shards.names.filter((name) => hearsay(name, "resize")?.draining !== true);
        if (open.length > 0 && shards.names.length > 1) expect(open).toContain(chosen);
        const near =
          shardsNear(shards, region)
            .map((ring) => ring.filter((name) => open.includes(name)))
            .find((ring) => ring.length > 0) ?? [];
        const free = near.filter((name) => freeOf(hearsay(name, "resize")) > 0);
        if (free.length > 0 && shards.names.length > 1) expect(free).toContain(chosen);
      }),
    );
  });

  test("a waiting task moves only for a reason, and no more move to free workers than there are", () => {
    fc.assert(
      fc.property(world, ({ shards, stuck, hearsay }) => {
        const moves = planMoves(shards, stuck, hearsay);
        const perTarget = new Map<string, number>();
        for (const task of stuck) {
          const to = moves.get(task.taskId);
          const here = hearsay(task.shard, task.type);
          const mustLeave = !shards.names.includes(task.shard) || here?.draining === true;
          const others = shards.names.filter(
            (name) => name !== task.shard && hearsay(name, task.type)?.draining !== true,
          );
          if (to === undefined) {
            if (mustLeave) expect([others, shards.names.includes(task.shard)]).toEqual([[], true]);
            continue;
          }
          expect(others.length === 0 ? shards.names : others).toContain(to);
          const abandoned = mustLeave || here?.counts.workers === 0;
          if (!abandoned) {
            expect(task.overdue).toBe(true);
            perTarget.set(to, (perTarget.get(to) ?? 0) + 1);
            expect(freeOf(hearsay(to, task.type))).toBeGreaterThan(0);
          }
        }
        for (const [name, count] of perTarget) expect(count).toBeLessThanOrEqual(freeOf(hearsay(name, "resize")));
      }),
    );
  });
});

describe("a waiting task", () => {
  const shards = plan("weur=2, enam=1, apac=1");
  const stuck = (shard: string, over: Partial<StuckTask> = {}): StuckTask => ({
    ...wish("t"),
    shard,
    overdue: true,
    tried: new Set(),
    ...over,
  });

  test("stays while nobody is free anywhere", () => {
    const known = { "weur-0": heard(1, 0), "weur-1": heard(1, 0), "enam-0": heard(5, 0), "apac-0": heard(5, 0) };
    expect(planMoves(shards, [stuck("weur-0")], from(known))).toEqual(new Map());
  });

  test("goes to the nearest free worker", () => {
    const known = { "weur-0": heard(1, 0), "weur-1": heard(1, 0), "enam-0": heard(5, 1), "apac-0": heard(5, 5) };
    expect(planMoves(shards, [stuck("weur-0")], from(known)).get("t")).toBe("enam-0");
  });

  test("goes to busy workers when its own shard has none", () => {
    const known = { "weur-0": heard(0, 0), "enam-0": heard(5, 0), "apac-0": heard(5, 0) };
    expect(planMoves(shards, [stuck("weur-0")], from(known)).get("t")).toBe("enam-0");
  });

  test("goes to busy workers of its region, before it is overdue, rather than to free ones elsewhere", () => {
    const known = { "weur-0": heard(0, 0), "weur-1": heard(1, 0), "enam-0": heard(5, 5) };
    expect(planMoves(shards, [stuck("weur-0", { overdue: false })], from(known)).get("t")).toBe("weur-1");
    expect(planMoves(shards, [stuck("weur-1", { overdue: false })], from(known))).toEqual(new Map());
    expect(planMoves(shards, [stuck("weur-1")], from(known)).get("t")).toBe("enam-0");
  });

  test("goes first where it has not waited yet", () => {
    const known = { "weur-0": heard(1, 1), "weur-1": heard(1, 1), "enam-0": heard(5, 5) };
    const tried = new Set(["weur-0", "weur-1"]);
    expect(planMoves(shards, [stuck("weur-0", { tried })], from(known)).get("t")).toBe("enam-0");
  });

  test("leaves a shard that drains or is none any more, wherever it goes", () => {
    const draining = from({ "weur-0": heard(9, 9, { draining: true }) });
    expect(planMoves(shards, [stuck("weur-0")], draining).get("t")).toBe("weur-1");
    expect(planMoves(shards, [stuck("shard-0")], () => null).get("t")).toMatch(/^weur/);
  });
});
