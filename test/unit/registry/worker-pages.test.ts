import type { JsonObject } from "@batuta/worker/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_WORKERS_CHARS } from "../../../src/limits.ts";
import { workerPage, type ShardQuery, type ShardWorkers } from "../../../src/registry/worker-pages.ts";

const ANY = { taskType: null, status: null, workerType: null };

/** Shards that answer as the real ones do. */
class FakeShards {
  readonly asked: string[] = [];
  readonly away = new Set<string>();
  readonly shards: Map<string, Set<string>>;
  /** Characters of each worker. */
  size = 10;

  constructor(shards: Readonly<Record<string, readonly string[]>>) {
    this.shards = new Map(Object.entries(shards).map(([name, ids]) => [name, new Set(ids)]));
  }

  get names(): string[] {
    return [...this.shards.keys()];
  }

  readonly ask = (shard: string, { after, limit, room }: ShardQuery): Promise<ShardWorkers> => {
    this.asked.push(shard);
    if (this.away.has(shard)) return Promise.reject(new Error(`${shard} is away.`));
    const ids = [...(this.shards.get(shard) ?? [])].filter((id) => after === null || id > after).toSorted();
    const count = Math.min(ids.length, limit, Math.max(1, Math.floor(room / this.size)));
    const workers = ids.slice(0, count).map((id): JsonObject => ({ worker_id: id }));
    return Promise.resolve({ workers, chars: count * this.size, more: count < ids.length });
  };

  async page(limit: number, cursor?: string) {
    const page = await workerPage(this.names, { ...ANY, limit, cursor }, this.ask);
    if (page === undefined) throw new Error("The cursor is none.");
    return { ...page, ids: page.workers.map((worker) => `${String(worker["shard"])}/${String(worker["worker_id"])}`) };
  }

  get all(): string[] {
    const every = [...this.shards].flatMap(([shard, ids]) => [...ids].map((id) => ({ shard, id })));
    const before = (a: string, b: string) => (a === b ? 0 : a < b ? -1 : 1);
    return every
      .toSorted((a, b) => before(a.shard, b.shard) || before(a.id, b.id))
      .map(({ shard, id }) => `${shard}/${id}`);
  }
}

const fleet = fc
  .array(fc.uniqueArray(fc.stringMatching(/^[a-zA-Z0-9_-]{1,3}$/), { maxLength: 12 }), { minLength: 1, maxLength: 12 })
  .map((lists) => Object.fromEntries(lists.map((ids, i) => [`shard-${i}`, ids])));

describe("pages of workers", () => {
  test("are together all workers, once each, in one order, however long they are", async () => {
    const size = fc.constantFrom(1, MAX_WORKERS_CHARS / 3, MAX_WORKERS_CHARS * 2);
    await fc.assert(
      fc.asyncProperty(fleet, fc.integer({ min: 1, max: 20 }), size, async (shards, limit, chars) => {
        const fake = new FakeShards(shards);
        fake.size = chars;
        const read: string[] = [];
        for (let cursor: string | undefined, at = 0; ; at += 1) {
          expect(at).toBeLessThan(200);
          const page = await fake.page(limit, cursor);
          expect(page.ids.length).toBeLessThanOrEqual(limit);
          expect(page.ids.length <= 1 || page.ids.length * chars <= MAX_WORKERS_CHARS).toBe(true);
          read.push(...page.ids);
          if (page.nextCursor === null) break;
          cursor = page.nextCursor;
        }
        expect(read).toEqual(fake.all);
      }),
    );
  });

  test("hold those that stay once each, whoever joins and leaves between two pages", async () => {
    const change = fc.record({
      shard: fc.nat({ max: 11 }),
      id: fc.stringMatching(/^[a-z0-9]{1,3}$/),
      join: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fleet, fc.array(change, { maxLength: 40 }), async (shards, changes) => {
        const fake = new FakeShards(shards);
        const stays = new Set(fake.all);
        const read: string[] = [];
        const left = [...changes];
        for (let cursor: string | undefined; ;) {
          const page = await fake.page(2, cursor);
          read.push(...page.ids);
          if (page.nextCursor === null) break;
          cursor = page.nextCursor;
          for (const { shard, id, join } of left.splice(0, 3)) {
            const ids = fake.shards.get(`shard-${shard}`);
            if (join) ids?.add(id);
            else {
              ids?.delete(id);
              stays.delete(`shard-${shard}/${id}`);
            }
          }
        }
        expect(read.filter((id) => stays.has(id))).toEqual(fake.all.filter((id) => stays.has(id)));
        expect(new Set(read).size).toBe(read.length);
      }),
    );
  });

  test("name the shards that are away, and show the others", async () => {
    const fake = new FakeShards({ "weur-0": ["a"], "enam-0": ["b"], "oc-0": ["c"] });
    fake.away.add("oc-0").add("enam-0");
    expect(await fake.page(10)).toMatchObject({ ids: ["weur-0/a"], away: ["enam-0", "oc-0"], nextCursor: null });
    fake.away.add("weur-0");
    await expect(fake.page(10)).rejects.toThrow("is away.");
  });

  test("go on behind a shard that went away in the middle of it, or is no more", async () => {
    const fake = new FakeShards({ "a-0": ["1", "2", "3"], "b-0": ["4"] });
    const { nextCursor } = await fake.page(2);
    expect(nextCursor).toBe("a-0.2");
    fake.away.add("a-0");
    expect(await fake.page(2, "a-0.2")).toMatchObject({ ids: ["b-0/4"], away: ["a-0"] });
    fake.shards.delete("a-0");
    expect(await fake.page(2, "a-0.2")).toMatchObject({ ids: ["b-0/4"], away: [] });
  });

  test("ask one shard where it has enough", async () => {
    const fake = new FakeShards({ "a-0": ["1", "2", "3"], "b-0": ["4"], "c-0": [] });
    await fake.page(2);
    expect(fake.asked).toEqual(["a-0"]);
  });

  test.each(["", "3", "a-0", "a-0.", ".x", "1700000000000.abc", "a-0.x y"])("do not begin at %j", async (cursor) => {
    const fake = new FakeShards({ "a-0": ["1"] });
    expect(await workerPage(fake.names, { ...ANY, limit: 1, cursor }, fake.ask)).toBeUndefined();
  });
});
