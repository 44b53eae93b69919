import type { Block } from "./throttles.ts";
import type { Place } from "./waiting-list.ts";

/** A worker that could matter to a task, and what rules it out; null when nothing does. */
export interface WorkerVerdict {
  readonly workerId: string;
  readonly ruledOut: string | null;
}

/** The workers as a task that nobody has sees them. */
export interface WorkersAround {
  /** Workers that take the type, those that come nearest first. */
  readonly workers: readonly WorkerVerdict[];
  /** How many more of them there are. */
  readonly moreWorkers: number;
  /** Live workers that do not take the type, and what they take instead. */
  readonly otherWorkers: number;
  readonly otherTypes: readonly string[];
}

/** What a registry shard can say of one attempt of a task. Times are epoch ms. */
export type TaskExplanation =
  | { readonly is: "held"; readonly workerId: string; readonly since: number; readonly seenAt: number }
  | ({ readonly is: "waiting"; readonly place: Place; readonly block: Block | null } & WorkersAround)
  | ({ readonly is: "unknown" } & WorkersAround);
