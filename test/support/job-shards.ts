import { loseTask } from "../../src/job/lose-task.ts";
import { noteShard, spillTasks } from "../../src/job/move-task.ts";
import type { Branch, Change, JobRecord, Task } from "../../src/job/record.ts";
import { takeBranchResult } from "../../src/job/take-branch.ts";
import { isWanted, outstanding } from "../../src/job/work.ts";
import { branchOf, fannedOutJob, surroundings } from "./job-builders.ts";

type Attempt = Pick<Task, "id" | "attempt" | "lease">;

/** A shard as its jobs see it, in the plainest words: what waits there, and what its workers have. */
class PlainShard {
  readonly waiting = new Map<string, Attempt>();
  readonly held = new Map<string, Attempt>();

  offer(offered: Attempt): void {
    const known = Math.max(this.waiting.get(offered.id)?.attempt ?? 0, this.held.get(offered.id)?.attempt ?? 0);
    if (known >= offered.attempt) return;
    this.held.delete(offered.id);
    this.waiting.set(offered.id, offered);
  }

  has(attempt: Attempt): boolean {
    return [this.waiting, this.held].some((place) => place.get(attempt.id)?.attempt === attempt.attempt);
  }

  /** A worker takes what waits longest. */
  take(): void {
    const [first] = this.waiting.values();
    if (first === undefined) return;
    this.waiting.delete(first.id);
    this.held.set(first.id, first);
  }
}

/** A job with a fan-out, its shards, and a network that brings offers late, twice or never. */
export class ShardedJob {
  readonly shards: ReadonlyMap<string, PlainShard>;
  readonly names: readonly string[];
  /** Offers on their way. */
  readonly offers: { readonly shard: string; readonly attempt: Attempt }[] = [];
  /** Results that the job took, by task id. */
  readonly taken = new Map<string, number>();
  #job: JobRecord;
  #open = new Map<string, Branch>();
  readonly #around = surroundings();

  constructor(shards: number, tasks: number) {
    this.names = Array.from({ length: shards }, (_, i) => `shard-${i}`);
    this.shards = new Map(this.names.map((name) => [name, new PlainShard()]));
    this.#job = fannedOutJob(tasks);
    for (let i = 1; i <= tasks; i += 1) {
      const branch = branchOf(i, { shard: this.#name(i) });
      this.#open.set(branch.id, branch);
      this.offers.push({ shard: branch.shard, attempt: branch });
    }
  }

  get hasEnded(): boolean {
    return this.#job.state === "join";
  }

  get open(): readonly Branch[] {
    return [...this.#open.values()];
  }

  shard(number: number): PlainShard {
    return this.#shard(this.#name(number));
  }

  /** An offer arrives. @param again whether it will arrive once more */
  deliver(number: number, again: boolean): void {
    const index = number % Math.max(1, this.offers.length);
    const offer = this.offers[index];
    if (offer === undefined) return;
    if (!again) this.offers.splice(index, 1);
    this.#shard(offer.shard).offer(offer.attempt);
  }

  forgetOffer(number: number): void {
    this.offers.splice(number % Math.max(1, this.offers.length), 1);
  }

  /** The job looks at its tasks, and some would do better in another shard. @param dies after it has taken them back */
  spill(to: number, dies: boolean): void {
    const target = this.#name(to);
    const moves = new Map<string, string>();
    for (const task of outstanding(this.#job, this.#open)) {
      const shard = this.#shard(task.shard);
      if (task.shard === target || shard.waiting.get(task.id)?.attempt !== task.attempt) continue;
      shard.waiting.delete(task.id);
      moves.set(task.id, target);
    }
    if (!dies) this.#apply(spillTasks(this.#job, this.#open, moves, this.#around));
  }

  /** The workers of a shard are another shard's now. @param told whether the job hears of it */
  moveWorkers(from: number, to: number, told: boolean): void {
    const [here, target] = [this.shard(from), this.#name(to)];
    if (here === this.#shard(target)) return;
    for (const attempt of here.held.values()) {
      here.held.delete(attempt.id);
      const there = this.#shard(target);
      if (there.has(attempt) || there.waiting.has(attempt.id) || there.held.has(attempt.id)) continue;
      there.held.set(attempt.id, attempt);
      if (told) this.#apply(noteShard(this.#job, this.#open, attempt.id, attempt.attempt, target));
    }
  }

  /** A worker of a shard brings a result. @param named whether it says of which attempt */
  finish(number: number, named: boolean): void {
    const shard = this.shard(number);
    const [held] = shard.held.values();
    if (held === undefined) return;
    shard.held.delete(held.id);
    const which = named ? { attempt: held.attempt, lease: held.lease } : {};
    const outcome = { status: "success", data: {} };
    const { ack, change } = takeBranchResult(
      this.#job,
      this.#open,
      { taskId: held.id, workerId: "w", outcome, ...which },
      this.#around,
    );
    if (ack.status !== "ignored") this.taken.set(held.id, (this.taken.get(held.id) ?? 0) + 1);
    this.#apply(change);
  }

  /** The job asks after its tasks, each in the shard it is in. */
  check(): void {
    for (const task of outstanding(this.#job, this.#open)) {
      if (this.#shard(task.shard).has(task)) continue;
      if (!isWanted(this.#job, this.#open, task.id, task.attempt)) continue;
      this.#apply(loseTask(this.#job, this.#open, task.id, task.attempt, "unknown", this.#around));
    }
  }

  #name(number: number): string {
    return this.names[number % this.names.length] ?? "";
  }

  #shard(name: string): PlainShard {
    const shard = this.shards.get(name);
    if (shard === undefined) throw new Error(`There is no shard ${name}.`);
    return shard;
  }

  #apply(change: Change | null): void {
    if (change === null) return;
    this.#job = change.record;
    for (const branch of change.branches) {
      if (branch.outcome === null) this.#open.set(branch.id, branch);
      else this.#open.delete(branch.id);
    }
    for (const task of change.offers) this.offers.push({ shard: task.shard, attempt: task });
  }
}
