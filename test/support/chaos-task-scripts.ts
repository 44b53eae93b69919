import { setTimeout as pause } from "node:timers/promises";
import type { PatientClient } from "./chaos-people.ts";
import { aNumber, counts, endedIn, finished, type Kind, sumOf } from "./chaos-script.ts";

/** Tasks one after the other. */
export const tally: Kind = (random) => {
  const tasks = counts(random, 1, 3);
  const end = finished({ sum: sumOf(tasks), odds: 0, evens: 0 }, { taken: { successes: tasks.length, failures: 0 } });
  return { endpoint: "tally", input: { tasks }, end };
};

/** Tasks that succeed once they have failed a few times. */
export const tallyWithFailures: Kind = (random) => {
  const tasks = counts(random, 1, 2).map((task) => ({ ...task, failures: random.whole(1, 2) }));
  return { endpoint: "tally", input: { tasks }, end: finished({ sum: sumOf(tasks), odds: 0, evens: 0 }) };
};

/** The workers' own words choose the way. */
export const tallyByWords: Kind = (random) => {
  const tasks = counts(random, 2, 3);
  const odds = sumOf(tasks.filter(({ number }) => number % 2 === 1));
  const sum = sumOf(tasks);
  return { endpoint: "tally", input: { tasks, parity: true }, end: finished({ sum, odds, evens: sum - odds }) };
};

/** Starts some seconds after it was made. */
export const tallyLater: Kind = (random) => {
  const startsAfterMs = random.whole(1_000, 4_000);
  const draft = tally(random);
  return { ...draft, startsAfterMs, end: { ...draft.end, lastsMs: startsAfterMs } };
};

/** Its task fails until its attempts are spent. */
export const spentTask: Kind = (random) => {
  const handled = random.chance(0.5);
  const taken = { successes: 0, failures: 4 };
  return {
    endpoint: "trouble",
    input: { what: "error", error: "TRANSIENT_ERROR", handled },
    end: handled
      ? finished({ way: "sorry", code: "TRANSIENT_ERROR" }, { taken })
      : endedIn("work", "quarantined", { taken }),
  };
};

/** Its task fails with an error that is not tried again. */
export const finalError: Kind = (random) => {
  const error = random.pick(["PERMANENT_ERROR", "INVALID_INPUT_ERROR"]);
  const handled = random.chance(0.5);
  const taken = { successes: 0, failures: 1 };
  return {
    endpoint: "trouble",
    input: { what: "error", error, handled },
    end: handled
      ? finished({ way: "sorry", code: error }, { taken })
      : endedIn("work", error === "PERMANENT_ERROR" ? "quarantined" : "failed", { taken }),
  };
};

/** Its task is over one of its three time limits. */
export const lateTask: Kind = (random) => {
  const what = random.pick(["too_long", "nobody", "no_result"]);
  const handled = random.chance(0.5);
  const input = { what, handled };
  return {
    endpoint: "trouble",
    input,
    end: {
      ...(handled ? finished({ way: "late", code: "TIMEOUT_ERROR" }) : endedIn("work", "failed")),
      lastsMs: 1_000,
    },
  };
};

/** Waits until the job is in quarantine, and lets it go on as if its trouble were over. */
export async function mend(client: PatientClient, id: string): Promise<void> {
  await client.until(id, "quarantined", ({ status }) => status === "quarantined");
  await client.command(id, "retry", { state_history: { mended: true }, reason: "It is mended." });
}

/** Is quarantined, by its task or by its handler, and retried by hand. */
export const mended: Kind = (random) => {
  const number = aNumber(random);
  const handler = random.chance(0.5);
  const taken = { successes: 1, failures: handler ? 0 : 1 };
  return {
    endpoint: "mended",
    input: { number, handler },
    acts: mend,
    end: finished({ number }, { endings: ["job_quarantined", "job_finished"], taken }),
  };
};

/** Is quarantined and then discarded. */
export const discarded: Kind = (random) => ({
  endpoint: "mended",
  input: { number: aNumber(random), handler: random.chance(0.5) },
  acts: async (client, id) => {
    await client.until(id, "quarantined", ({ status }) => status === "quarantined");
    await client.command(id, "discard", { reason: "Nobody wants it." });
  },
  end: endedIn("work", "cancelled", { endings: ["job_quarantined", "job_cancelled"] }),
});

/** Goes on by an event of its worker, while the task still runs. */
export const announced: Kind = (random) => {
  const said = aNumber(random);
  const after = aNumber(random);
  return { endpoint: "announced", input: { said, after }, end: finished({ sum: said + after }) };
};

/** Its handlers take their time. */
export const slow: Kind = (random) => {
  const number = aNumber(random);
  const end = finished({ sum: number }, { taken: { successes: 1, failures: 0 } });
  return { endpoint: "slow", input: { number, ms: random.whole(50, 500) }, end };
};

/** Is over its own time limit. */
export const hurried: Kind = (random) =>
  random.chance(0.5)
    ? { endpoint: "hurried", input: {}, end: { ...finished("too late"), state: "too_late", lastsMs: 2_000 } }
    : { endpoint: "breathless", input: {}, end: endedIn("work", "failed", { lastsMs: 2_000 }) };

/** Is cancelled while a worker has its task, or nobody yet, and cleans up. */
export const cancelledRunning: Kind = (random) => {
  const number = aNumber(random);
  const waitMs = random.whole(0, 1_000);
  return {
    endpoint: "guarded",
    input: { number },
    acts: async (client, id) => {
      await client.until(id, "at work", ({ status }) => status === "waiting_for_worker");
      await pause(waitMs);
      await client.cancel(id);
    },
    end: { ...endedIn("cleaned", "cancelled"), result: { number } },
  };
};
