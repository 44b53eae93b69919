import type { Lease } from "./lease.ts";
import type { Member } from "./roster.ts";

/** A task that a worker works on without having it any more. */
interface Recall {
  /** What it had, where that is known. */
  readonly lease: Lease | null;
  /** When it was last told, epoch ms; of one that is to be told with its next word, so long ago that it is due. */
  readonly toldAt: number;
}

interface RecallNeeds {
  /** A worker says that a task that was taken back from it is not with it any more. */
  stopped(lease: Lease): void;
}

/** How long a worker is given to act on a word before it is told again. */
const HEARD_WITHIN_MS = 5_000;

/** How long the answer to a poll may be on its way to the worker: till then it need not know that it has the task. */
export const HAND_OVER_MS = 5_000;

/** A worker that never says which tasks it has never says that one has stopped either. */
const FORGOTTEN_AFTER_MS = 10 * 60_000;

/**
 * What polling workers are to stop. Each is told once in a while, not with every word: a published SDK that hears of the
 * same task twice in one breath gives up saying that it has stopped. What it stops to name has stopped. Kept in memory:
 * after an eviction they are told once more, and jobs wait out their own grace.
 */
export class Recalls {
  readonly #needs: RecallNeeds;
  readonly #of = new WeakMap<Member, Map<string, Recall>>();

  constructor(needs: RecallNeeds) {
    this.#needs = needs;
  }

  /** A task is taken back from the worker that has it, and the worker is told by its socket if it has one. */
  note(member: Member, lease: Lease, now: number): void {
    const recalls = this.#recalls(member);
    for (const [taskId, { toldAt }] of recalls) if (toldAt <= now - FORGOTTEN_AFTER_MS) recalls.delete(taskId);
    recalls.set(lease.taskId, { lease, toldAt: member.socket === null ? now - HEARD_WITHIN_MS : now });
  }

  /** The worker has reported on the task by itself. */
  reported(member: Member, taskId: string): void {
    this.#of.get(member)?.delete(taskId);
  }

  /**
   * The worker says which tasks it has.
   * @returns those it is to be told to stop now
   */
  heard(member: Member, current: readonly string[], now: number): string[] {
    const known = this.#of.get(member) ?? new Map<string, Recall>();
    for (const [taskId, { lease }] of known) {
      if (current.includes(taskId) || (lease !== null && lease.since > now - HAND_OVER_MS)) continue;
      known.delete(taskId);
      if (lease !== null) this.#needs.stopped(lease);
    }
    const unwanted = current.filter((taskId) => !member.leases.has(taskId));
    const tell = unwanted.filter((taskId) => (known.get(taskId)?.toldAt ?? -Infinity) <= now - HEARD_WITHIN_MS);
    for (const taskId of tell) {
      this.#recalls(member).set(taskId, { lease: known.get(taskId)?.lease ?? null, toldAt: now });
    }
    return tell;
  }

  #recalls(member: Member): Map<string, Recall> {
    const known = this.#of.get(member);
    if (known !== undefined) return known;
    const made = new Map<string, Recall>();
    this.#of.set(member, made);
    return made;
  }
}
