import { z } from "zod";
import { tooLow, type ReputationSettings } from "../../src/dispatch/reputation.ts";

/** Finish what is held, take nothing new. Times are epoch ms. */
export const drain = z.object({
  since: z.number(),
  /** From then on what is still held goes to others; null leaves it where it is. */
  deadline: z.number().nullable(),
  reason: z.string().nullable(),
});
export type Drain = z.infer<typeof drain>;

/** What operators and results have made of a worker. It outlives the worker's registrations. */
export const standing = z.object({
  reputation: z.number().default(1),
  /** When and why the reputation last changed by more than a reward; epoch ms. */
  changedAt: z.number().nullable().default(null),
  why: z.string().nullable().default(null),
  /** Results before then do not count any more (epoch ms). */
  countsFrom: z.number().default(0),
  drain: drain.nullable().default(null),
});
export type Standing = z.infer<typeof standing>;

/** Of a worker that nothing is to be said of; it takes no row. */
export const GOOD: Standing = standing.parse({});

/** What a worker says of itself that matters here. */
interface OwnWord {
  readonly draining: boolean;
  readonly info: { readonly status?: string | undefined } | null;
}

/** Statuses of workers that want nothing more. */
const LEAVING: ReadonlySet<string | undefined> = new Set(["draining", "offline"]);

export function isLeaving(status: string | undefined): boolean {
  return LEAVING.has(status);
}

function drainText(whose: string, { reason }: Drain): string {
  return reason === null ? `${whose} draining` : `${whose} draining: ${reason}`;
}

/** Why a worker gets nothing new, whatever the task; null when it does. */
export function whyBarred(
  worker: OwnWord,
  own: Standing,
  shardDrain: Drain | null,
  settings: ReputationSettings,
): string | null {
  if (own.drain !== null) return drainText("is", own.drain);
  if (shardDrain !== null) return drainText("its shard is", shardDrain);
  if (worker.draining) return "is draining by its own word";
  if (isLeaving(worker.info?.status)) return `status is ${worker.info?.status}`;
  return tooLow(own.reputation, settings);
}

/** The drain whose deadline comes first; null when nothing has to be handed over. */
export function firstDeadline(...drains: readonly (Drain | null)[]): (Drain & { deadline: number }) | null {
  let first: (Drain & { deadline: number }) | null = null;
  for (const each of drains) {
    if (each === null || each.deadline === null) continue;
    if (first === null || each.deadline < first.deadline) first = { ...each, deadline: each.deadline };
  }
  return first;
}
