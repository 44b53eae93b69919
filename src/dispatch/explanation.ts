import { MAX_EXPLAINED_WORKERS } from "../limits.ts";
import { ReasonCounts, type ReasonCount } from "./reason-counts.ts";
import type { Block } from "./throttles.ts";
import type { Place } from "./waiting-list.ts";

/** A worker that could matter to a task, and what rules it out; null when nothing does. */
export interface WorkerVerdict {
  readonly workerId: string;
  readonly ruledOut: string | null;
  /** The shard it is in, where that is another than the task's. */
  readonly shard?: string;
  /** Where the task names the only workers that may take it, whether this one of them is in the shard that tells of it. */
  readonly asked?: "here" | "missing";
}

/** The workers as a task that nobody has sees them. */
export interface WorkersAround {
  /** Workers that take the type, those that come nearest first. */
  readonly workers: readonly WorkerVerdict[];
  /** How many more of them there are. */
  readonly moreWorkers: number;
  /** What rules those out, the most frequent first. Shards of before there were counts say nothing of it. */
  readonly moreReasons?: readonly ReasonCount[];
  /** Live workers that do not take the type, and what they take instead. */
  readonly otherWorkers: number;
  readonly otherTypes: readonly string[];
}

/** What a registry shard can say of one attempt of a task. Times are epoch ms. */
export type TaskExplanation =
  | { readonly is: "held"; readonly workerId: string; readonly since: number; readonly seenAt: number }
  | ({ readonly is: "waiting"; readonly place: Place; readonly block: Block | null } & WorkersAround)
  | ({ readonly is: "unknown" } & WorkersAround);

/** What a task's own shard says, with the workers of the other shards, to which the task may move. */
export function withOthers(
  own: TaskExplanation,
  others: readonly (readonly [shard: string, found: TaskExplanation])[],
): TaskExplanation {
  if (own.is === "held") return own;
  const workers = [...own.workers];
  let { moreWorkers, otherWorkers } = own;
  const otherTypes = new Set(own.otherTypes);
  const reasons = new ReasonCounts();
  for (const each of own.moreReasons ?? []) reasons.add(each.ruledOut, each.workers);
  for (const [shard, found] of others) {
    if (found.is === "held") continue;
    for (const verdict of found.workers) workers.push({ ...verdict, shard });
    moreWorkers += found.moreWorkers;
    otherWorkers += found.otherWorkers;
    for (const type of found.otherTypes) otherTypes.add(type);
    for (const each of found.moreReasons ?? []) reasons.add(each.ruledOut, each.workers);
  }
  const ordered = askedFirst(workers);
  const left = ordered.slice(MAX_EXPLAINED_WORKERS);
  for (const { ruledOut } of left) reasons.add(ruledOut);
  return {
    ...own,
    workers: ordered.slice(0, MAX_EXPLAINED_WORKERS),
    moreWorkers: moreWorkers + left.length,
    moreReasons: reasons.mostFrequent(),
    otherWorkers,
    otherTypes: [...otherTypes].toSorted().slice(0, MAX_EXPLAINED_WORKERS),
  };
}

/** A worker that the task names is in one shard at most: it is missing only where no shard has it, and is told of once. */
function askedFirst(workers: readonly WorkerVerdict[]): WorkerVerdict[] {
  const isHere = (verdict: WorkerVerdict) => verdict.asked === "here";
  const told = new Set(workers.filter(isHere).map(({ workerId }) => workerId));
  const missing: WorkerVerdict[] = [];
  for (const verdict of workers) {
    if (verdict.asked !== "missing" || told.has(verdict.workerId)) continue;
    told.add(verdict.workerId);
    missing.push(verdict);
  }
  return [...workers.filter(isHere), ...missing, ...workers.filter(({ asked }) => asked === undefined)];
}
