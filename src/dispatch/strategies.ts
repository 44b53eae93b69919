import type { Demand } from "./demand.ts";
import { costOf, type Candidate } from "./matching.ts";

/**
 * How good a choice a worker is for a task: lower is better, and each number decides only where the ones before it are
 * equal. All workers it is asked about fit the task and are free.
 */
export type Rank = (worker: Candidate, task: Demand) => readonly number[];

/** Tasks a worker may hold before `overflow` goes on to the next dearer one (DISPATCHER_SOFT_LIMIT of Avtomatika). */
const SOFT_LIMIT = 3;

function reputationOf({ info }: Candidate): number {
  const { reputation } = info;
  return typeof reputation === "number" ? reputation : 1;
}

function share(worker: Candidate): number {
  return worker.held / Math.max(1, worker.held + worker.free);
}

/** Warm: it has loaded what the type needs, by its own word. */
function isWarm({ info }: Candidate, { type }: Demand): boolean {
  return info.hot_cache?.includes(type) === true || info.hot_skills?.includes(type) === true;
}

const warmThenCheap: Rank = (worker, task) => [isWarm(worker, task) ? 0 : 1, costOf(worker, task.type)];

/** The strategies of spec §3, and `overflow`: cheap workers first until they hold some. */
const BUILT_IN = {
  default: warmThenCheap,
  round_robin: (worker) => [worker.turn],
  least_connections: (worker) => [share(worker), worker.info.load ?? 0],
  cheapest: (worker, task) => [costOf(worker, task.type)],
  best_value: (worker, task) => [
    reputationOf(worker) > 0 ? costOf(worker, task.type) / reputationOf(worker) : Infinity,
  ],
  overflow: (worker, task) =>
    worker.held < SOFT_LIMIT ? [0, costOf(worker, task.type)] : [1, worker.held, costOf(worker, task.type)],
} as const satisfies Record<string, Rank>;

const ranks = new Map<string, Rank>(Object.entries(BUILT_IN));

/** The name of a strategy that every deployment has. */
export type DispatchStrategy = keyof typeof BUILT_IN;

/**
 * Gives the deployment a strategy of its own. Call it where a blueprint module is loaded, and use what it returns as a
 * task's `dispatchStrategy`.
 *
 * @example
 * const nearest = strategy("nearest", (worker) => [Number(worker.info.distance_km ?? Infinity)]);
 *
 * @param rank must be pure: it is asked about every free worker that fits, in any order
 * @throws TypeError when the name is taken
 */
export function strategy<const Name extends string>(name: Name, rank: Rank): Name & CustomStrategy {
  if (ranks.has(name)) throw new TypeError(`There is a strategy called "${name}" already. Choose another name.`);
  ranks.set(name, rank);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the mark exists for the compiler only
  return name as Name & CustomStrategy;
}

declare const custom: unique symbol;
/** A name that {@link strategy} has returned. */
export type CustomStrategy = string & { readonly [custom]: true };

export function isStrategy(name: string): boolean {
  return ranks.has(name);
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i += 1) {
    const [one = 0, other = 0] = [a[i], b[i]];
    if (one !== other) return one < other ? -1 : 1;
  }
  return 0;
}

/** Among equals: who holds least, then the longest idle, then whose turn was longest ago. */
function compareIdle(a: Candidate, b: Candidate): number {
  return share(a) - share(b) || a.idleSince - b.idleSince || a.turn - b.turn || (a.id < b.id ? -1 : 1);
}

/**
 * Chooses among workers that all fit. The choice does not depend on their order. An unknown strategy is `default`, as
 * in Avtomatika.
 */
export function choose(candidates: Iterable<Candidate>, task: Demand): Candidate | null {
  const rank = ranks.get(task.strategy) ?? warmThenCheap;
  let best: { readonly worker: Candidate; readonly rank: readonly number[] } | null = null;
  for (const worker of candidates) {
    const mine = rank(worker, task);
    const order = best === null ? -1 : compareRanks(mine, best.rank) || compareIdle(worker, best.worker);
    if (order < 0) best = { worker, rank: mine };
  }
  return best?.worker ?? null;
}
