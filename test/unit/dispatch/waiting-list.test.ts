import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WaitingList, type Waiting } from "../../../src/dispatch/waiting-list.ts";

/** The list as a sorted array: what the real one is held against. */
class SortedArray {
  entries: Waiting[] = [];

  add(entry: Waiting): void {
    this.entries = [...this.entries, entry].toSorted((a, b) => b.priority - a.priority || a.seq - b.seq);
  }

  remove(taskId: string): Waiting | null {
    const found = this.entries.find((entry) => entry.taskId === taskId) ?? null;
    this.entries = this.entries.filter((entry) => entry !== found);
    return found;
  }

  inOrder(types: readonly string[]): Waiting[] {
    return this.entries.filter((entry) => types.includes(entry.type));
  }
}

const TYPES = ["resize", "crop", "sheet"] as const;
const command = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      add: fc.constantFrom(...TYPES),
      priority: fc.constantFrom(-1, 0, 0.5, 1, 2),
      /** Rows are read back in the order of arrival, but a restored shard may add them in any. */
      seq: fc.nat({ max: 1_000 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ remove: fc.nat({ max: 30 }) }) },
);

describe("the waiting list", () => {
  test("is what a sorted array would be, for every choice of types", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        const [list, model] = [new WaitingList(), new SortedArray()];
        const used = new Set<number>();
        let added = 0;
        for (const each of commands) {
          if ("remove" in each) {
            expect(list.remove(`t${each.remove}`)).toBe(model.remove(`t${each.remove}`));
          } else if (!used.has(each.seq)) {
            used.add(each.seq);
            const entry = { taskId: `t${added++}`, type: each.add, priority: each.priority, seq: each.seq };
            list.add(entry);
            model.add(entry);
          }
          expect(list.size).toBe(model.entries.length);
          for (let id = 0; id < added; id += 1) {
            expect(list.has(`t${id}`)).toBe(model.entries.some((entry) => entry.taskId === `t${id}`));
          }
        }
        for (const types of [[], ["resize"], ["crop", "sheet"], [...TYPES], ["unheard_of", "sheet"]]) {
          expect([...list.inOrder(types)]).toEqual(model.inOrder(types));
        }
      }),
    );
  });

  test("hands over the more important first, then the older", () => {
    const list = new WaitingList();
    for (const [taskId, priority, seq] of [
      ["old", 0, 1],
      ["urgent", 5, 3],
      ["new", 0, 2],
      ["later", -1, 0],
    ] as const) {
      list.add({ taskId, type: seq % 2 === 0 ? "crop" : "resize", priority, seq });
    }
    expect([...list.inOrder(["resize", "crop"])].map((entry) => entry.taskId)).toEqual([
      "urgent",
      "old",
      "new",
      "later",
    ]);
  });

  test("knows nothing of what was never added", () => {
    expect(new WaitingList().remove("t")).toBeNull();
    expect(new WaitingList().has("t")).toBe(false);
  });
});
