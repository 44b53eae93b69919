import { setTimeout as pause } from "node:timers/promises";
import { counts, type End, endedIn, finished, type Kind, sumOf } from "./chaos-script.ts";
import { isListening } from "./chaos-wait-scripts.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** A child job, what it says, and how it ends. */
interface Born {
  readonly child: { readonly blueprint: string; readonly initialData: object };
  readonly sum: number;
  readonly status: End["status"];
}

const CHILD: Readonly<Record<"tally" | "failing" | "stuck" | "waiting" | "holding", (random: SeededRandom) => Born>> = {
  tally: (random) => {
    const tasks = counts(random, 1, 2);
    return { child: { blueprint: "tally", initialData: { tasks } }, sum: sumOf(tasks), status: "finished" };
  },
  failing: () => ({
    child: { blueprint: "trouble", initialData: { what: "error", error: "INVALID_INPUT_ERROR", handled: false } },
    sum: 0,
    status: "failed",
  }),
  stuck: () => ({
    child: { blueprint: "trouble", initialData: { what: "error", handled: false } },
    sum: 0,
    status: "quarantined",
  }),
  waiting: () => ({ child: { blueprint: "mail", initialData: { letters: 1 } }, sum: 0, status: "cancelled" }),
  holding: () => ({
    child: { blueprint: "guarded", initialData: { number: 1 } },
    sum: 0,
    status: "cancelled",
  }),
};

/** Goes on as its child ends. */
export const parentOf: Kind = (random) => {
  const [born, way] = random.pick<readonly [Born, string]>([
    [CHILD.tally(random), "good"],
    [CHILD.failing(random), "bad"],
    [CHILD.stuck(random), "stuck"],
  ]);
  const sum = way === "good" ? born.sum : null;
  return {
    endpoint: "parent",
    input: born.child,
    end: finished({ way, sum }, { children: [born.status] }),
  };
};

/** Its child is cancelled by hand. */
export const parentOfCancelled: Kind = (random) => ({
  endpoint: "parent",
  input: CHILD.waiting(random).child,
  acts: async (client, id) => {
    const child = await client.childOf(id);
    await client.until(child, "waiting for a letter", isListening);
    await client.cancel(child);
  },
  end: finished({ way: "stopped", sum: null }, { children: ["cancelled"] }),
});

/** Goes on without its child when that takes too long, and cancels it. */
export const impatientParent: Kind = (random) => ({
  endpoint: "parent",
  input: { ...random.pick([CHILD.waiting, CHILD.holding])(random).child, seconds: 1 },
  end: finished({ way: "late", sum: null }, { children: ["cancelled"], mayLackChildren: true, lastsMs: 1_000 }),
});

/** Waits for all its children, however they end. */
export const wholeFamily: Kind = (random) => {
  const born = Array.from({ length: random.whole(2, 4) }, () =>
    random.pick([CHILD.tally, CHILD.tally, CHILD.failing, CHILD.stuck])(random),
  );
  const ends = born.map(({ status }) => (status === "finished" ? "success" : "failure"));
  const sum = born.reduce((total, each) => total + each.sum, 0);
  const maxConcurrent = random.chance(0.3) ? { maxConcurrent: 1 } : {};
  return {
    endpoint: "family",
    input: { children: born.map(({ child }) => child), ...maxConcurrent },
    end: finished({ joins: 1, sum, ends }, { joins: 1, children: born.map(({ status }) => status).toSorted() }),
  };
};

/** Cancels its other children as soon as one has failed. */
export const brokenFamily: Kind = (random) => {
  const born = [CHILD.failing(random), CHILD.waiting(random), CHILD.holding(random)];
  return {
    endpoint: "family",
    input: { children: born.map(({ child }) => child), failFast: true },
    end: finished(
      { joins: 1, sum: 0, ends: ["failure", "cancelled", "cancelled"] },
      { joins: 1, children: ["cancelled", "cancelled", "failed"], mayLackChildren: true },
    ),
  };
};

/** Is cancelled with all its children, soon after it was made or at once. */
export const cancelledFamily: Kind = (random) => {
  // More than are begun at the same time: some are still to come when the family is cancelled at once.
  const born = Array.from({ length: random.pick([2, 3, 9]) }, () =>
    random.pick([CHILD.waiting, CHILD.holding])(random),
  );
  const waitMs = random.pick([0, 0, 300, 1_000]);
  return {
    endpoint: "family",
    input: { children: born.map(({ child }) => child) },
    acts: async (client, id) => {
      await pause(waitMs);
      await client.cancel(id);
    },
    end: endedIn("run", "cancelled", { children: born.map(({ status }) => status), mayLackChildren: true }),
  };
};
