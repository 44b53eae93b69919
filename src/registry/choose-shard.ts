import type { Region } from "./regions.ts";
import { byRendezvous } from "./rendezvous.ts";
import { FIRST_SHARD, shardsNear, type ShardPlan } from "./shard-plan.ts";

/** What a shard has of one task type. */
export interface TypeCounts {
  /** Live workers that take the type, free or not. */
  readonly workers: number;
  /** Tasks that they could take now. */
  readonly free: number;
  /** Tasks that wait for them. */
  readonly waiting: number;
}

/** What was heard of a shard lately, about one task type. */
export interface Heard {
  readonly draining: boolean;
  readonly counts: TypeCounts;
  /** Whether it is new enough to say who is free; else it still says where workers are. */
  readonly fresh: boolean;
}

/** What is known of a shard and a type; null when nothing was heard lately. */
export type Hearsay = (shard: string, type: string) => Heard | null;

/** A task that needs a shard. */
export interface ShardWish {
  readonly taskId: string;
  readonly type: string;
  /** Where it should run if it can; null for anywhere. */
  readonly region: Region | null;
}

/** How many tasks a shard could take at once, as far as is known. */
function freeIn(heard: Heard | null): number {
  return heard === null || !heard.fresh ? 0 : Math.max(0, heard.counts.free - heard.counts.waiting);
}

function workersIn(heard: Heard | null): number {
  return heard?.counts.workers ?? 0;
}

/** The part of the shard's workers that a task more could count on. */
function shareOf(heard: Heard | null, more: number): number {
  return workersIn(heard) / ((heard?.counts.waiting ?? 0) + more + 1);
}

/**
 * The shard to offer a task to: in the nearest region, one with a free worker for it, more often the more are free;
 * else one that has such workers at all, or of which nothing is known. Where it is known that no shard of the region
 * has any, the next region that has some. Never one that drains while another does not.
 */
export function chooseShard(plan: ShardPlan, { taskId, type, region }: ShardWish, heardOf: Hearsay): string {
  if (plan.names.length === 1) return plan.names[0] ?? FIRST_SHARD;
  const isOpen = (shard: string) => heardOf(shard, type)?.draining !== true;
  const rings = shardsNear(plan, region).map((shards) => shards.filter(isOpen));
  const [home = plan.names, ...further] = rings.filter((shards) => shards.length > 0);
  for (const [distance, shards] of [home, ...further].entries()) {
    const free = shards.filter((shard) => freeIn(heardOf(shard, type)) > 0);
    const [freest] = byRendezvous(free, taskId, (shard) => freeIn(heardOf(shard, type)));
    if (freest !== undefined) return freest;
    const able = shards.filter((shard) => (heardOf(shard, type)?.counts.workers ?? (distance === 0 ? 1 : 0)) > 0);
    const allKnown = able.every((shard) => heardOf(shard, type) !== null);
    const [first] = byRendezvous(able, taskId, (shard) => (allKnown ? (heardOf(shard, type)?.counts.workers ?? 1) : 1));
    if (first !== undefined) return first;
  }
  return byRendezvous(home, taskId)[0] ?? FIRST_SHARD;
}

/** A task that waits in a shard. */
export interface StuckTask extends ShardWish {
  readonly shard: string;
  /** Whether it has waited as long as a task should wait for the workers of its region. */
  readonly overdue: boolean;
  /** Shards in which it has waited in vain. */
  readonly tried: ReadonlySet<string>;
}

/**
 * Which waiting tasks would do better in another shard. An overdue one where a worker is free for it, nearest region
 * first; else any whose own shard has no worker for it at all, where some are. From a shard that is none any more
 * they go in any case, and from one that drains while another does not. No more tasks go to free workers than there are.
 * @param tasks those to be helped first come first
 * @returns the new shard of each that is to move
 */
export function planMoves(plan: ShardPlan, tasks: readonly StuckTask[], heardOf: Hearsay): Map<string, string> {
  const moves = new Map<string, string>();
  /** Tasks that this very plan sends to a shard. */
  const sent = new Map<string, number>();
  const keyOf = (shard: string, type: string) => `${shard}\n${type}`;
  const sentTo = (shard: string, type: string) => sent.get(keyOf(shard, type)) ?? 0;
  for (const task of tasks) {
    const { type, shard: here } = task;
    const heard = heardOf(here, type);
    const mustLeave = !plan.names.includes(here) || heard?.draining === true;
    const others = shardsNear(plan, task.region).map((shards) =>
      shards.filter((shard) => shard !== here && heardOf(shard, type)?.draining !== true),
    );
    const left = (shard: string) => freeIn(heardOf(shard, type)) - sentTo(shard, type);
    let target: string | null = null;
    if (task.overdue) {
      const untried = others.map((shards) => shards.filter((shard) => !task.tried.has(shard)));
      target = mostOf(untried, left) ?? mostOf(others, left);
    }
    const hopeless = mustLeave || heard?.counts.workers === 0;
    if (target === null && hopeless) {
      const near = others.find((shards) => shards.some((shard) => workersIn(heardOf(shard, type)) > 0)) ?? [];
      target = mostOf([near], left) ?? mostOf([near], (shard) => shareOf(heardOf(shard, type), sentTo(shard, type)));
    }
    const isElsewhere = others.some((shards) => shards.length > 0) || !plan.names.includes(here);
    if (target === null && mustLeave && isElsewhere) target = chooseShard(plan, task, heardOf);
    if (target === null || target === here) continue;
    moves.set(task.taskId, target);
    sent.set(keyOf(target, type), sentTo(target, type) + 1);
  }
  return moves;
}

/** The shard with the most of something, more than none, in the first region where one has any. */
function mostOf(rings: readonly (readonly string[])[], amountIn: (shard: string) => number): string | null {
  for (const shards of rings) {
    let best: { readonly shard: string; readonly amount: number } | null = null;
    for (const shard of shards) {
      const amount = amountIn(shard);
      if (amount > 0 && (best === null || amount > best.amount)) best = { shard, amount };
    }
    if (best !== null) return best.shard;
  }
  return null;
}
