import { beforeEach, expect, test } from "vitest";
import { isSingle, parseShards } from "../../../src/registry/shard-plan.ts";
import { ShardNews } from "../../../src/registry/shard-summaries.ts";

const counts = (workers: number, free: number) => ({ workers, free, waiting: 0 });

let news = new ShardNews();
beforeEach(() => {
  news = new ShardNews();
});

test("a summary is fresh for a second, and then says for a while where workers are", () => {
  news.noteSummary("afr-0", { draining: false, types: { resize: counts(3, 2) } }, 10_000);
  expect(news.of("afr-0", "resize", 10_999)).toEqual({ draining: false, counts: counts(3, 2), fresh: true });
  expect(news.of("afr-0", "other", 10_999)?.counts).toEqual(counts(0, 0));
  expect(news.of("afr-0", "resize", 11_000)?.fresh).toBe(false);
  expect(news.of("afr-0", "resize", 15_000)).toBeNull();
});

test("counts of one type say nothing of others", () => {
  news.noteCounts("me-0", "resize", { draining: true, counts: counts(1, 0) }, 10_000);
  expect(news.of("me-0", "resize", 10_500)).toEqual({ draining: true, counts: counts(1, 0), fresh: true });
  expect(news.of("me-0", "other", 10_500)).toBeNull();
});

test("a task stays in its shard while that is open", () => {
  const parsed = parseShards("oc=2");
  if (!parsed.ok) throw new Error(parsed.error);
  const wish = { taskId: "t", type: "resize", region: null };
  for (const name of parsed.value.names) expect(news.place(parsed.value, wish, 0, name)).toBe(name);
  expect(parsed.value.names).toContain(news.place(parsed.value, wish, 0, "shard-0"));
  news.noteCounts("oc-1", "resize", { draining: true, counts: counts(1, 1) }, 10_000);
  expect(news.place(parsed.value, wish, 10_000, "oc-1")).toBe("oc-0");
});

test("one shard alone is single, unless another is to be left", () => {
  const single = (...texts: [string, string?]) => {
    const parsed = parseShards(...texts);
    return parsed.ok && isSingle(parsed.value);
  };
  expect([single("1"), single("weur=1"), single("2"), single("1", "weur-0")]).toEqual([true, true, false, false]);
});
