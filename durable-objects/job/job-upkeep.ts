import type { TaskRef } from "../../src/dispatch/offer.ts";
import type { Env } from "../../src/env.ts";
import { endJob } from "../../src/job/ending.ts";
import { loseBranch, loseSingle, type LossReason } from "../../src/job/lose-task.ts";
import { changed, type Change, type JobRecord, type Task } from "../../src/job/record.ts";
import { isEnded } from "../../src/job/status.ts";
import { failBranch, failSingle } from "../../src/job/take-result.ts";
import { log } from "../../src/observability/log.ts";
import { shardOfJob } from "../../src/registry/shards.ts";
import type { TaskWhereabouts } from "../registry-shard/registry-shard-object.ts";
import { callObject } from "../shared/call-object.ts";
import type { LiveJob } from "./live-job.ts";

function refsOf(record: JobRecord, tasks: readonly Task[]): TaskRef[] {
  return tasks.map((task) => ({ jobId: record.id, taskId: task.id, attempt: task.attempt }));
}

/** What time brings to a job: retries that are due, tasks that nobody knows any more or that run too long, steps that were cut off. */
export class JobUpkeep {
  readonly #env: Env;
  readonly #live: LiveJob;

  constructor(env: Env, live: LiveJob) {
    this.#env = env;
    this.#live = live;
  }

  /** Does whatever is due by now. */
  async catchUp(): Promise<void> {
    const now = Date.now();
    const { record } = this.#live;
    if (record !== null && record.checkAt !== null && record.checkAt <= now) await this.#check(record);
    this.#retrySingle(now);
    this.#retryBranches(now);
    const { record: after } = this.#live;
    if (after !== null && after.wakeAt !== null && after.wakeAt <= now) this.#live.run(changed(after));
    await this.#live.flushHistory();
  }

  /**
   * Ends the job as cancelled, at once and in every status that is not an end: nothing of it starts afterwards. Its
   * tasks stop waiting, and workers that hold one are told; what they report all the same is ignored.
   * @returns false when the job had ended
   */
  cancel(): boolean {
    const { record } = this.#live;
    if (record === null || isEnded(record.status)) return false;
    const refs = refsOf(record, this.#outstanding(record));
    this.#live.apply(
      changed(endJob(record, { status: "cancelled", error: "The client cancelled the job." }, Date.now())),
    );
    if (refs.length > 0) this.#live.inBackground(this.#release(record, refs));
    return true;
  }

  /** An attempt came to nothing without a result: it is offered anew. An attempt that is not current changes nothing. */
  lose(taskId: string, attempt: number, reason: LossReason): void {
    const change = this.#lossOf(taskId, attempt, reason);
    if (change !== null) this.#live.apply(change);
  }

  #lossOf(taskId: string, attempt: number, reason: LossReason): Change | null {
    const { record } = this.#live;
    if (record === null || isEnded(record.status)) return null;
    if (record.task !== null) return loseSingle(record, taskId, attempt, reason, this.#live.around());
    const branch = this.#live.branch(taskId);
    if (branch === null) return null;
    return loseBranch(record, branch, this.#live.open().length, attempt, reason, this.#live.around());
  }

  #retrySingle(now: number): void {
    const { record } = this.#live;
    const task = record?.task ?? null;
    if (record === null || task === null || task.retryAt === null || task.retryAt > now) return;
    const next = { ...task, retryAt: null };
    this.#live.apply(changed({ ...record, task: next }, [next]));
  }

  #retryBranches(now: number): void {
    const { record } = this.#live;
    const due = this.#live.open().filter((branch) => branch.retryAt !== null && branch.retryAt <= now);
    if (record === null || due.length === 0) return;
    const next = due.map((branch) => ({ ...branch, retryAt: null }));
    this.#live.apply({ record, branches: next, writeRecord: false, offers: next });
  }

  /** Asks the registry for the tasks that are out: offers anew what nobody knows, ends what has run too long. */
  async #check(record: JobRecord): Promise<void> {
    const out = this.#outstanding(record);
    const refs = refsOf(record, out);
    const found = await this.#locate(record, refs);
    let next = Date.now() + this.#live.settings.leaseMs;
    const overdue = refs.filter((ref, i) => {
      const where = found[i];
      if (where?.is === "unknown") this.lose(ref.taskId, ref.attempt, "unknown");
      if (where?.is !== "held") return false;
      this.#live.worker = { taskId: ref.taskId, id: where.workerId };
      const endsAt = where.since + this.#timeoutMs(out[i]);
      if (endsAt > Date.now()) next = Math.min(next, endsAt);
      return endsAt <= Date.now();
    });
    for (const ref of overdue) this.#timeOut(ref);
    if (overdue.length > 0) await this.#release(record, overdue);
    // Not written: after a crash the stored, earlier time only leads to one more check.
    if (this.#live.record?.checkAt != null) this.#live.note({ checkAt: next });
  }

  /** The attempts that are out: offered, or with a worker. */
  #outstanding(record: JobRecord): readonly Task[] {
    const tasks: readonly Task[] = record.task === null ? this.#live.open() : [record.task];
    return tasks.filter((task) => task.retryAt === null);
  }

  /** Tells the registry that nothing more is wanted of these attempts. Where it cannot be told, their results are ignored. */
  async #release(record: JobRecord, refs: TaskRef[]): Promise<void> {
    try {
      await callObject(this.#env.REGISTRY, shardOfJob(record.id), (shard) => shard.release(refs));
    } catch (error) {
      log(this.#live.settings, "WARNING", "job.release_failed", { job_id: record.id, error: String(error) });
    }
  }

  /** What the registry knows of these attempts; nothing while it is away, which says nothing about them. */
  async #locate(record: JobRecord, refs: TaskRef[]): Promise<TaskWhereabouts[]> {
    if (refs.length === 0) return [];
    try {
      return await callObject(this.#env.REGISTRY, shardOfJob(record.id), (shard) => shard.locate(refs));
    } catch (error) {
      log(this.#live.settings, "WARNING", "job.check_delayed", { job_id: record.id, error: String(error) });
      return [];
    }
  }

  #timeoutMs(task: Task | undefined): number {
    const seconds = task?.request.timeoutSeconds;
    return seconds === undefined ? this.#live.settings.taskTimeoutMs : seconds * 1000;
  }

  #timeOut({ taskId, attempt }: TaskRef): void {
    const { record } = this.#live;
    const task = record?.task ?? this.#live.branch(taskId);
    if (record === null || task === null || task.id !== taskId || task.attempt !== attempt) return;
    const seconds = this.#timeoutMs(task) / 1000;
    const failure = { code: "TIMEOUT_ERROR", message: `Worker task timed out. It ran longer than ${seconds} s.` };
    const around = this.#live.around();
    if ("transitions" in task) this.#live.apply(failSingle(record, task, failure, null, around));
    else this.#live.apply(failBranch(record, task, this.#live.open().length, failure, null, around));
  }
}
