import type { Candidate } from "./matching.ts";
import type { Offer } from "./offer.ts";

function costOf(worker: Candidate): number {
  return worker.info.cost_per_second ?? Infinity;
}

function reputationOf(worker: Candidate): number {
  const { reputation } = worker.info;
  return typeof reputation === "number" ? reputation : 1;
}

/** Lower is better; each number decides only where the ones before it are equal. */
type Rank = (worker: Candidate, task: Offer) => readonly number[];

const leastHeld: Rank = (worker) => [worker.held / Math.max(1, worker.held + worker.free)];

const warmThenCheap: Rank = (worker, task) => [
  worker.info.hot_cache?.includes(task.type) === true ? 0 : 1,
  costOf(worker),
  ...leastHeld(worker, task),
];

/** The strategies of spec §3 as ranks. */
const RANKS = new Map<string, Rank>([
  ["default", warmThenCheap],
  ["round_robin", (worker) => [worker.turn]],
  ["least_connections", (worker, task) => [...leastHeld(worker, task), worker.info.load ?? 0]],
  ["cheapest", (worker) => [costOf(worker)]],
  ["best_value", (worker) => [reputationOf(worker) > 0 ? costOf(worker) / reputationOf(worker) : Infinity]],
]);

function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (const [i, value] of a.entries()) {
    const other = b[i] ?? 0;
    if (value !== other) return value < other ? -1 : 1;
  }
  return 0;
}

/**
 * Chooses among workers that all fit; ties go to the longest idle, then to the lower id, so that the choice is
 * the same wherever it is made. An unknown strategy is `default`.
 */
export function choose(candidates: readonly Candidate[], task: Offer): Candidate | null {
  const rank = RANKS.get(task.strategy) ?? warmThenCheap;
  let best: { worker: Candidate; rank: readonly number[] } | null = null;
  for (const worker of candidates) {
    const mine = [...rank(worker, task), worker.idleSince];
    const order = best === null ? -1 : compareRanks(mine, best.rank);
    if (best === null || order < 0 || (order === 0 && worker.id < best.worker.id)) best = { worker, rank: mine };
  }
  return best?.worker ?? null;
}
