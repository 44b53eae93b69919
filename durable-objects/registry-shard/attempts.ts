import type { Offer, TaskRef } from "../../src/dispatch/offer.ts";
import type { Heard } from "../../src/registry/choose-shard.ts";
import type { Dispatcher, Placement } from "./dispatcher.ts";
import type { Leases } from "./leases.ts";
import type { Recalls } from "./recalls.ts";
import type { Roster } from "./roster.ts";
import type { SummaryOfShard } from "./shard-summary.ts";
import type { TaskLogs } from "./task-logs.ts";
import type { WorkerLines } from "./worker-lines.ts";

/** What a shard knows of one attempt of a task. */
export type TaskWhereabouts =
  | { readonly is: "waiting" | "unknown" }
  /** Not known now, but the worker that may have it is expected back, until then (epoch ms). */
  | { readonly is: "unsure"; readonly until: number }
  | { readonly is: "held"; readonly since: number; readonly workerId: string };

/** What became of an attempt that was to be taken back. */
export type Withdrawn = "withdrawn" | "held" | "unsure" | "unknown";

/** Where an offered task went, and the worker that has it. `refused`: it could not be placed, for the reason in `error`. */
export interface Placed {
  readonly is: Placement | "refused";
  readonly workerId: string | null;
  readonly error?: string;
  /** What the shard has of the type of a task that waits; only where there are other shards to choose from. */
  readonly here?: Pick<Heard, "draining" | "counts">;
}

interface AttemptNeeds {
  readonly roster: Roster;
  readonly dispatcher: Dispatcher;
  readonly leases: Leases;
  readonly logs: TaskLogs;
  readonly recalls: Recalls;
  readonly lines: WorkerLines;
  /** Null where there is no other shard to choose. */
  readonly summary: SummaryOfShard | null;
  /** Until when workers with tasks may be on their way back from an outage (epoch ms). */
  readonly backBy: number;
}

/** What jobs ask of a shard: to take attempts of their tasks, to say where they are, to let go of them. */
export class Attempts {
  readonly #needs: AttemptNeeds;

  constructor(needs: AttemptNeeds) {
    this.#needs = needs;
  }

  /** Takes a task on offer. Idempotent by task and attempt. One that cannot be placed is no harm to others. */
  place(task: Offer, now: number): Placed {
    const { dispatcher, roster, summary } = this.#needs;
    try {
      const is = dispatcher.place(task, now);
      const workerId = roster.holderOf(task.taskId)?.id ?? null;
      if (workerId !== null || summary === null) return { is, workerId };
      return { is, workerId, here: summary.about(task, now) };
    } catch (error) {
      return { is: "refused", workerId: null, error: error instanceof Error ? error.message : String(error) };
    }
  }

  /** Where an attempt is. */
  locate({ taskId, attempt }: TaskRef, now: number): TaskWhereabouts {
    const { dispatcher, roster, leases, lines, backBy } = this.#needs;
    if (dispatcher.isWaiting(taskId, attempt)) return { is: "waiting" };
    const holder = roster.holderOf(taskId);
    const held = holder?.leases.get(taskId);
    if (holder === null || held?.attempt !== attempt) {
      return backBy > now ? { is: "unsure", until: backBy } : { is: "unknown" };
    }
    if (!leases.isAlive(holder, now)) {
      lines.disconnect(holder);
      return { is: "unknown" };
    }
    return { is: "held", since: held.since, workerId: holder.id };
  }

  /**
   * Nothing more is wanted of an attempt: it stops waiting, a worker that holds it is told, and if it is still on its way
   * here it is not taken when it comes.
   * @returns whether a live worker held it
   */
  release({ jobId, taskId, attempt }: TaskRef, now: number): boolean {
    const { dispatcher, roster, leases, logs, recalls, lines } = this.#needs;
    const holder = roster.holderOf(taskId);
    const held = holder?.leases.get(taskId);
    if (holder === null || held?.attempt !== attempt) {
      if (dispatcher.isWaiting(taskId, attempt)) dispatcher.withdraw(taskId);
      else dispatcher.refuse(taskId, attempt, now);
      return false;
    }
    logs.givenBack(taskId, now);
    dispatcher.drop(holder, taskId);
    // Of one that was given back the worker has nothing to stop.
    if (held.reported === undefined) recalls.note(holder, held, now);
    lines.cancel(holder, taskId, jobId);
    dispatcher.fill(holder, now);
    return leases.isAlive(holder, now);
  }

  /** Takes back an attempt that still waits; one that a worker has is left with it. */
  withdraw({ taskId, attempt }: TaskRef, now: number): Withdrawn {
    const { dispatcher, roster, backBy } = this.#needs;
    if (dispatcher.isWaiting(taskId, attempt)) {
      dispatcher.withdraw(taskId);
      return "withdrawn";
    }
    if (roster.holderOf(taskId)?.leases.get(taskId)?.attempt === attempt) return "held";
    return backBy > now ? "unsure" : "unknown";
  }
}
