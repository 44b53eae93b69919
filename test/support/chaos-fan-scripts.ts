import { setTimeout as pause } from "node:timers/promises";
import { counts, endedIn, finished, type Kind, sumOf } from "./chaos-script.ts";
import { mend } from "./chaos-task-scripts.ts";

/** How many branches have each word, if any. */
function words(counted: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counted).filter(([, times]) => times > 0));
}

/** Some of its branches may fail for good; it may have places for some of them only. */
export const plainFan: Kind = (random) => {
  const branches = counts(random, 2, 6).map((branch) =>
    random.chance(0.2) ? { ...branch, error: "PERMANENT_ERROR" } : branch,
  );
  const failure = branches.filter(({ error }) => error !== undefined).length;
  const statuses = words({ success: branches.length - failure, failure });
  const taken = { successes: branches.length - failure, failures: failure };
  const maxConcurrent = random.chance(0.5) ? { maxConcurrent: random.whole(1, 3) } : {};
  return {
    endpoint: "fan",
    input: { branches, ...maxConcurrent },
    end: finished({ joins: 1, sum: sumOf(branches), statuses }, { joins: 1, taken }),
  };
};

/** Each branch fails a few times on a counter of its own. */
export const flakyFan: Kind = (random) => {
  const branches = counts(random, 2, 5).map((branch) => ({ ...branch, failures: random.whole(0, 2) }));
  const statuses = { success: branches.length };
  return {
    endpoint: "fan",
    input: { branches },
    end: finished({ joins: 1, sum: sumOf(branches), statuses }, { joins: 1 }),
  };
};

export const emptyFan: Kind = () => ({
  endpoint: "fan",
  input: { branches: [] },
  end: finished({ joins: 1, sum: 0, statuses: {} }, { joins: 1, taken: { successes: 0, failures: 0 } }),
});

/** One branch fails, and the others, which would not end, are not waited for. */
export const failFastFan: Kind = (random) => {
  const others = counts(random, 1, 3);
  return {
    endpoint: "fan",
    input: { branches: [{ number: 0, error: "PERMANENT_ERROR" }, ...others], failFast: true, holds: true },
    end: finished({ joins: 1, sum: 0, statuses: { failure: 1, cancelled: others.length } }, { joins: 1 }),
  };
};

/** Its aggregator throws; mended, it has all results still. */
export const brokenFan: Kind = (random) => {
  const branches = counts(random, 2, 4);
  const taken = { successes: branches.length, failures: 0 };
  return {
    endpoint: "fan",
    input: { branches, broken: true },
    acts: mend,
    end: finished(
      { joins: 1, sum: sumOf(branches), statuses: { success: branches.length } },
      { joins: 1, taken, endings: ["job_quarantined", "job_finished"] },
    ),
  };
};

/** Is cancelled while its branches are with workers, or wait for some. */
export const cancelledFan: Kind = (random) => {
  const waitMs = random.whole(0, 1_000);
  return {
    endpoint: "fan",
    input: { branches: counts(random, 2, 3), holds: true },
    acts: async (client, id) => {
      await client.until(id, "at work", ({ status }) => status === "waiting_for_parallel_tasks");
      await pause(waitMs);
      await client.cancel(id);
    },
    end: endedIn("split", "cancelled"),
  };
};
