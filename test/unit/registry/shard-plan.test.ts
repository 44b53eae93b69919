import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { REGIONS, nearestFirst, regionOf } from "../../../src/registry/regions.ts";
import { byRendezvous, fractionOf } from "../../../src/registry/rendezvous.ts";
import {
  formerHomes,
  hintOf,
  homeOf,
  parseShards,
  shardsNear,
  type ShardPlan,
} from "../../../src/registry/shard-plan.ts";

function plan(shards?: string, former?: string): ShardPlan {
  const parsed = parseShards(shards, former);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

function errorOf(shards: string, former?: string): string {
  const parsed = parseShards(shards, former);
  return parsed.ok ? "" : parsed.error;
}

describe("SHARDS", () => {
  test("is one shard when it says nothing", () => {
    for (const text of [undefined, "", " ", "1"]) expect(plan(text).names).toEqual(["shard-0"]);
  });

  test("is a number of shards anywhere", () => {
    expect(plan("3")).toEqual({ names: ["shard-0", "shard-1", "shard-2"], byRegion: new Map(), former: [] });
  });

  test("is a number of shards for each region", () => {
    const { names, byRegion } = plan(" weur = 2 ,enam=1");
    expect(names).toEqual(["weur-0", "weur-1", "enam-0"]);
    expect([...byRegion]).toEqual([
      ["weur", ["weur-0", "weur-1"]],
      ["enam", ["enam-0"]],
    ]);
  });

  test("says what is wrong and what to write", () => {
    expect(errorOf("europe=2")).toContain('"europe=2"');
    expect(errorOf("europe=2")).toContain('SHARDS = "weur=2, enam=1"');
    expect(errorOf("weur=two")).toContain("weur, eeur");
    expect(errorOf("weur=1, weur=2")).toContain("weur twice");
    expect(errorOf("weur=0")).toContain("no shard at all");
    expect(errorOf("weur=60, enam=41")).toContain("101 shards; 100");
  });

  test("leaves former shards, but for those that are shards still", () => {
    expect(plan("weur=1", "shard-0, weur-0, weur-1,").former).toEqual(["shard-0", "weur-1"]);
    expect(errorOf("2", "somewhere")).toContain('"somewhere"');
  });

  test("the name of a shard says where its object is placed", () => {
    expect(["weur-0", "afr-12", "shard-0", "weur", "x-1"].map((name) => hintOf(name))).toEqual([
      "weur",
      "afr",
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe("regions", () => {
  test("each has all others in some order", () => {
    for (const region of REGIONS) {
      expect(nearestFirst(region)[0]).toBe(region);
      expect(nearestFirst(region).toSorted()).toEqual(REGIONS.toSorted());
    }
  });

  test.each([
    [{ continent: "EU", longitude: "2.35" }, "weur"],
    [{ continent: "EU", longitude: "30.5" }, "eeur"],
    [{ continent: "NA", longitude: "-122.4" }, "wnam"],
    [{ continent: "NA", longitude: "-74" }, "enam"],
    [{ continent: "AS", longitude: "55.3" }, "me"],
    [{ continent: "AS", longitude: "139.7" }, "apac"],
    [{ continent: "AS" }, "apac"],
    [{ continent: "SA" }, "sam"],
    [{ continent: "OC" }, "oc"],
    [{ continent: "AF" }, "afr"],
    [{ continent: "AN" }, null],
    [{ continent: "constructor", longitude: "1" }, null],
    [{ continent: "EU", longitude: "east" }, null],
    [undefined, null],
  ])("%j lies in %s", (cf, region) => {
    expect(regionOf(cf)).toBe(region);
  });

  test("a worker's home is in the nearest region that has shards", () => {
    const two = plan("enam=2, apac=1");
    expect(homeOf(two, "oc", "w")).toBe("apac-0");
    expect(homeOf(two, "weur", "w")).toMatch(/^enam-[01]$/);
    expect(homeOf(two, null, "w")).toMatch(/^enam-[01]$/);
    expect(shardsNear(two, "oc").flat()).toEqual(["apac-0", "enam-0", "enam-1"]);
  });
});

const word = fc.string({ minLength: 1, maxLength: 40 });

describe("rendezvous", () => {
  test("fractions are spread evenly, also over texts that differ in one character", () => {
    const cells = Array.from({ length: 64 }, () => 0);
    const count = 64_000;
    for (let i = 0; i < count; i += 1) {
      const cell = Math.floor(fractionOf(`weur-${i % 7}\nworker-${i}`) * cells.length);
      cells[cell] = (cells[cell] ?? 0) + 1;
    }
    const expected = count / cells.length;
    const chiSquare = cells.reduce((sum, seen) => sum + (seen - expected) ** 2 / expected, 0);
    // 63 degrees of freedom: above 110 once in some thousand texts.
    expect(chiSquare).toBeLessThan(110);
  });

  test("a fraction is within (0, 1) and the same each time", () => {
    fc.assert(
      fc.property(word, (text) => {
        const fraction = fractionOf(text);
        return fraction > 0 && fraction < 1 && fraction === fractionOf(text);
      }),
    );
  });

  test("adding a shard moves about one worker in N, and each of them to the new shard", () => {
    for (const before of [1, 2, 3, 7, 15]) {
      const [small, large] = [plan(`weur=${before}`), plan(`weur=${before + 1}`)];
      const workers = Array.from({ length: 6_000 }, (_, i) => `worker-${i}`);
      const moved = workers.filter((id) => homeOf(small, "weur", id) !== homeOf(large, "weur", id));
      expect(new Set(moved.map((id) => homeOf(large, "weur", id)))).toEqual(new Set([`weur-${before}`]));
      const share = moved.length / workers.length;
      expect(share).toBeGreaterThan(0.85 / (before + 1));
      expect(share).toBeLessThan(1.15 / (before + 1));
    }
  });

  test("a worker whose home is new is looked for first where it was", () => {
    fc.assert(
      fc.property(word, fc.integer({ min: 1, max: 12 }), (worker, before) => {
        const after = plan(`weur=${before + 1}, enam=2`, "shard-0");
        const was = homeOf(plan(`weur=${before}, enam=2`), "weur", worker);
        const is = homeOf(after, "weur", worker);
        const looked = formerHomes(after, "weur", worker);
        expect(looked.toSorted()).toEqual([...after.names, "shard-0"].filter((name) => name !== is).toSorted());
        if (is !== was) expect(looked[0]).toBe(was);
      }),
    );
  });

  test("keys go to names by weight", () => {
    const weights: Record<string, number> = { a: 1, b: 3, c: 0 };
    const firsts = Array.from({ length: 8_000 }, (_, i) =>
      byRendezvous(["a", "b", "c"], `key-${i}`, (name) => weights[name] ?? 0),
    );
    const part = firsts.filter(([first]) => first === "b").length / firsts.length;
    expect(part).toBeGreaterThan(0.72);
    expect(part).toBeLessThan(0.78);
    expect(firsts.every((order) => order[2] === "c")).toBe(true);
  });
});
