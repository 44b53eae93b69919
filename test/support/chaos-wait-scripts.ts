import { setTimeout as pause } from "node:timers/promises";
import { hasEnded, type PatientClient, type SeenJob } from "./chaos-people.ts";
import { aNumber, cancelAt, counts, type Draft, endedIn, finished, type Kind, sumOf } from "./chaos-script.ts";
import type { SeededRandom } from "./seeded-random.ts";

const PEOPLE = ["ann", "ben", "cat"] as const;
const isAsked = ({ waiting_for: wait }: SeenJob) => wait?.kind === "human";

/** One or two people approve. */
export const decided: Kind = (random) => {
  const approvals = random.whole(1, 2);
  const people = PEOPLE.slice(0, approvals);
  return {
    endpoint: "ask",
    input: { approvals },
    acts: async (client, id) => {
      await client.until(id, "a question", isAsked);
      for (const person of people) await client.decide(id, "approved", person);
    },
    end: finished({ way: "yes", by: [...people] }),
  };
};

/** The last one who is asked rejects. */
export const rejected: Kind = (random) => {
  const approvals = random.whole(1, 2);
  const by = PEOPLE.slice(0, approvals);
  return {
    endpoint: "ask",
    input: { approvals },
    acts: async (client, id) => {
      await client.until(id, "a question", isAsked);
      for (const [at, person] of by.entries())
        await client.decide(id, at === approvals - 1 ? "rejected" : "approved", person);
    },
    end: finished({ way: "no", by: [...by] }),
  };
};

/** Nobody decides in time. */
export const undecided: Kind = () => ({
  endpoint: "ask",
  input: { approvals: 2, seconds: 1 },
  end: finished({ way: "late", by: [] }, { lastsMs: 1_000 }),
});

/** An event, and what it adds to the sum. */
interface Letter {
  readonly eventId: string;
  readonly number: number;
}

const send = (client: PatientClient, id: string, letters: readonly Letter[]): Promise<void[]> =>
  Promise.all(letters.map(({ eventId, number }) => client.send(id, "letter", eventId, { number })));

function letters(random: SeededRandom): Letter[] {
  return counts(random, 1, 3).map(({ number }, at) => ({ eventId: `letter-${at}`, number }));
}

/** Events that come before the job waits for them. */
export const earlyMail: Kind = (random) => {
  const all = letters(random);
  return {
    endpoint: "mail",
    input: { letters: all.length },
    acts: async (client, id) => void (await send(client, id, all)),
    end: finished({ way: "read", sum: sumOf(all) }),
  };
};

/** Waits for an event, or sleeps. */
export const isListening = ({ waiting_for: wait }: SeenJob) => wait?.kind === "event";

/** Events that come while the job waits for them. */
export const lateMail: Kind = (random) => {
  const all = letters(random);
  return {
    endpoint: "mail",
    input: { letters: all.length },
    acts: async (client, id) => {
      await client.until(id, "waiting for a letter", isListening);
      for (const letter of all) await send(client, id, [letter]);
    },
    end: finished({ way: "read", sum: sumOf(all) }),
  };
};

/** Events that are sent several times, at once and later. */
export const doubleMail: Kind = (random) => {
  const all = [...letters(random), { eventId: "last-letter", number: aNumber(random) }];
  return {
    endpoint: "mail",
    input: { letters: all.length },
    acts: async (client, id) => {
      const but = all.slice(0, -1);
      await send(client, id, [...but, ...but]);
      await send(client, id, but);
      await send(client, id, all.slice(-1));
    },
    end: finished({ way: "read", sum: sumOf(all) }),
  };
};

/** The last event does not come in time. */
export const lostMail: Kind = (random) => {
  const all = letters(random);
  return {
    endpoint: "mail",
    input: { letters: all.length + 1, seconds: 1 },
    acts: async (client, id) => void (await send(client, id, all)),
    end: finished({ way: "late", sum: sumOf(all) }, { lastsMs: 1_000 }),
  };
};

/** Is sent to another state by hand. */
export const movedOn: Kind = () => ({
  endpoint: "mail",
  input: { letters: 1 },
  acts: async (client, id) => {
    await client.until(id, "waiting for a letter", isListening);
    await client.command(id, "move", { state: "moved", reason: "Nobody will write." });
  },
  end: finished({ way: "moved", sum: 0 }),
});

/** Sleeps before and after its task. */
export const nap: Kind = (random) => {
  const number = aNumber(random);
  const seconds = random.whole(3, 15) / 10;
  const end = finished({ number }, { lastsMs: 2_000 * seconds, taken: { successes: 1, failures: 0 } });
  return { endpoint: "nap", input: { seconds, number }, end };
};

/** Is paused somewhere on its way; its events come during the pause, or later. */
export const paused: Kind = (random) => {
  const all = letters(random);
  const waitMs = random.whole(0, 500);
  const restMs = random.whole(0, 1_500);
  const duringPause = random.chance(0.5);
  return {
    endpoint: "mail",
    input: { letters: all.length },
    acts: async (client, id) => {
      await pause(waitMs);
      await client.command(id, "pause", { reason: "A rest." });
      if (duringPause) await send(client, id, all);
      await pause(restMs);
      const { status } = await client.view(id);
      if (hasEnded({ status })) throw new Error(`It went on while it was paused: ${status}.`);
      await client.command(id, "resume", { reason: "Go on." });
      if (!duringPause) await send(client, id, all);
    },
    end: finished({ way: "read", sum: sumOf(all) }),
  };
};

/** Is cancelled while it waits for people, for an event, or for its start. */
export const cancelledWaiting: Kind = (random) => {
  const cleansUp = random.chance(0.5);
  return random.pick<Draft>([
    {
      endpoint: "ask",
      input: { cleansUp },
      acts: cancelAt("a question", isAsked),
      end: cleansUp
        ? { ...endedIn("done", "cancelled"), result: { way: "stopped", by: [] } }
        : endedIn("question", "cancelled"),
    },
    {
      endpoint: "mail",
      input: { letters: 1 },
      acts: cancelAt("waiting for a letter", isListening),
      end: endedIn("listen", "cancelled"),
    },
    {
      endpoint: "tally",
      input: { tasks: [{ number: 1 }] },
      startsAfterMs: 600_000,
      acts: (client, id) => client.cancel(id),
      end: endedIn("next", "cancelled", { taken: { successes: 0, failures: 0 } }),
    },
  ]);
};
