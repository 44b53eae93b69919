import { expect, test } from "vitest";
import { mapLimit } from "../../../durable-objects/shared/map-limit.ts";

test("every item is worked on once, no more than the limit at a time, and the results are in order", async () => {
  let [now, most] = [0, 0];
  const items = Array.from({ length: 23 }, (_, number) => number);
  const results = await mapLimit(items, 5, async (number) => {
    now += 1;
    most = Math.max(most, now);
    // Later items are done sooner.
    for (let turns = number % 7; turns < 7; turns += 1) await Promise.resolve();
    now -= 1;
    return number * 2;
  });
  expect(results).toEqual(items.map((number) => number * 2));
  expect(most).toBe(5);
});

test("there may be nothing to do", async () => {
  expect(await mapLimit([], 5, () => Promise.reject(new Error("Nobody asked.")))).toEqual([]);
});
