import type { Configuration } from "../../src/configuration.ts";
import type { Env } from "../../src/env.ts";
import { spillTasks } from "../../src/job/move-task.ts";
import type { Task } from "../../src/job/record.ts";
import { nextSpillLook } from "../../src/job/spill-time.ts";
import { outstanding } from "../../src/job/work.ts";
import { OFFERS_PER_CALL } from "../../src/limits.ts";
import { callShard } from "../../src/registry/call-shard.ts";
import { planMoves, type Hearsay, type StuckTask } from "../../src/registry/choose-shard.ts";
import { isSingle } from "../../src/registry/shard-plan.ts";
import { shardsToAsk } from "../../src/registry/shards-to-ask.ts";
import { shardNews } from "../../src/registry/shard-summaries.ts";
import { mapLimit, PARALLEL_CALLS } from "../shared/map-limit.ts";
import type { Here } from "./job-outbox.ts";
import type { JobWork } from "./job-work.ts";
import type { LiveJob } from "./live-job.ts";

/** Kinds of waiting tasks, by type and shard, that one look asks shards about. */
const KINDS_PER_LOOK = 3;

function heardAt(now: number): Hearsay {
  return (shard, type) => shardNews.of(shard, type, now);
}

interface SpillNeeds {
  readonly env: Env;
  readonly settings: Configuration;
  readonly live: LiveJob;
  readonly work: JobWork;
}

/**
 * Moves tasks that wait too long to shards where workers are free for them. Only where there are several shards: with
 * one there is nothing to look at, and no alarm.
 */
export class JobSpill {
  readonly #needs: SpillNeeds;
  /** Where tasks have waited in vain, by task id; forgotten by an eviction, which only makes them try again. */
  readonly #tried = new Map<string, Set<string>>();
  #looking = false;

  constructor(needs: SpillNeeds) {
    this.#needs = needs;
  }

  get isOff(): boolean {
    return isSingle(this.#needs.settings.shards);
  }

  /** Some tasks were offered and have to wait: looks at them when they have waited long enough, or at once where nothing is to be waited for. */
  async offered(tasks: readonly Task[], waiting: ReadonlyMap<string, Here>): Promise<void> {
    if (this.isOff) return;
    const now = Date.now();
    let urgent = false;
    for (const task of tasks) {
      const here = waiting.get(task.id);
      if (here === undefined) continue;
      if (here !== null) shardNews.noteCounts(task.shard, task.request.type, here, now);
      const isHopeless = here !== null && (here.draining || here.counts.workers === 0);
      if (isHopeless && !this.#tried.has(task.id)) urgent = true;
    }
    if (urgent && !this.#looking) return this.look();
    const waitingTasks = tasks.filter(({ id }) => waiting.has(id));
    this.watch(nextSpillLook(waitingTasks, now, this.#after));
  }

  /** Looks again by then, epoch ms. */
  watch(at: number): void {
    const { live } = this.#needs;
    const before = live.record?.spillAt ?? null;
    if (at === Infinity || (before !== null && before <= at)) return;
    live.note({ spillAt: at });
    live.rearm(0);
  }

  /** Looks at all tasks that may be waiting, and moves those that would do better elsewhere. */
  async look(): Promise<void> {
    const { live } = this.#needs;
    if (this.isOff || this.#looking || !this.#isDue) return;
    this.#looking = true;
    try {
      live.note({ spillAt: null });
      const tasks = this.#untaken();
      for (const id of this.#tried.keys()) if (!tasks.some((task) => task.id === id)) this.#tried.delete(id);
      if (tasks.length === 0) return;
      const waiting = this.#stuck(tasks);
      await this.#listen(waiting);
      const moves = this.#plan(waiting);
      const stuck = await this.#withdraw(tasks.filter((task) => moves.has(task.id)));
      const { record, branches } = live;
      const gone = new Map([...moves].filter(([id]) => stuck.withdrawn.has(id)));
      const change = record === null ? null : spillTasks(record, branches.open, gone, live.around());
      if (change !== null && this.#isDue) live.apply(change);
      const still = tasks.filter((task) => !moves.has(task.id) || stuck.unclear.has(task.id));
      this.watch(nextSpillLook(await this.#waitingAmong(still), Date.now(), this.#after));
    } finally {
      this.#looking = false;
    }
  }

  get #after(): number {
    return this.#needs.settings.spillAfterMs;
  }

  /** A job that is paused or cancelled calls its tasks back by itself. */
  get #isDue(): boolean {
    const { record } = this.#needs.live;
    return record !== null && record.checkAt !== null && record.pause === null && record.cancellation === null;
  }

  /** Tasks that no worker is known to have. */
  #untaken(): readonly Task[] {
    const { record, branches, worker } = this.#needs.live;
    if (record === null) return [];
    return outstanding(record, branches.open).filter(
      (task) => task.child === null && (worker?.taskId !== task.id || worker.id === null),
    );
  }

  /** Learns what some shards have to do that may be of help. */
  async #listen(tasks: readonly StuckTask[]): Promise<void> {
    const { env, settings } = this.#needs;
    const now = Date.now();
    const kinds = [...new Map(tasks.map((task) => [`${task.type}\n${task.shard}`, task])).values()].slice(
      0,
      KINDS_PER_LOOK,
    );
    const asked = kinds.flatMap((task) => shardsToAsk(settings.shards, task, heardAt(now), `${task.taskId}\n${now}`));
    await mapLimit([...new Set(asked)], PARALLEL_CALLS, async (name) => {
      try {
        shardNews.noteSummary(name, await callShard(env, name, (shard) => shard.summary()), Date.now());
      } catch {
        // Nothing is known of a shard that is away, so nothing goes there.
      }
    });
  }

  #stuck(tasks: readonly Task[]): StuckTask[] {
    const { live } = this.#needs;
    const now = Date.now();
    return tasks.map((task) => ({
      taskId: task.id,
      type: task.request.type,
      region: task.request.region ?? live.record?.region ?? null,
      shard: task.shard,
      overdue: task.dispatchedAt + this.#after <= now,
      tried: this.#tried.get(task.id) ?? new Set(),
    }));
  }

  #plan(tasks: readonly StuckTask[]): ReadonlyMap<string, string> {
    const moves = planMoves(this.#needs.settings.shards, tasks, heardAt(Date.now()));
    for (const { taskId, shard } of tasks) {
      if (moves.has(taskId)) this.#tried.set(taskId, (this.#tried.get(taskId) ?? new Set()).add(shard));
    }
    return moves;
  }

  /** @returns which were taken back, and of which that is not known */
  async #withdraw(tasks: readonly Task[]): Promise<{ withdrawn: ReadonlySet<string>; unclear: ReadonlySet<string> }> {
    const { live, work } = this.#needs;
    const [withdrawn, unclear] = [new Set<string>(), new Set<string>()];
    if (live.record === null) return { withdrawn, unclear };
    const answers = await work.withdraw(live.record, tasks);
    for (const [i, task] of tasks.entries()) {
      const answer = answers[i] ?? null;
      if (answer === "withdrawn") withdrawn.add(task.id);
      else if (answer !== "held") unclear.add(task.id);
    }
    return { withdrawn, unclear };
  }

  /** Those of some tasks that no worker has yet, as far as can be known cheaply. */
  async #waitingAmong(tasks: readonly Task[]): Promise<readonly Task[]> {
    const { live, work } = this.#needs;
    const { record } = live;
    if (record === null || tasks.length === 0) return [];
    // One call to a shard must do; the job's check looks at all.
    const some = tasks.slice(0, OFFERS_PER_CALL);
    const found = await work.locate(record, some);
    return some.filter((task, i) => {
      const where = found[i] ?? null;
      if (where?.is === "held" && live.record?.task?.id === task.id)
        live.worker = { taskId: task.id, id: where.workerId };
      return where?.is !== "held";
    });
  }
}
