import type { Configuration } from "../../src/configuration.ts";
import { narrowCancel } from "../../src/job/cancel.ts";
import { loseTask, type LossReason } from "../../src/job/lose-task.ts";
import { holdBack } from "../../src/job/pause.ts";
import { changed, type Change, type JobRecord, type Task } from "../../src/job/record.ts";
import { failUndelivered, type OfferedAttempt } from "../../src/job/undelivered.ts";
import { takeChildOutcome } from "../../src/job/take-child.ts";
import { dueChange, timeOutTask } from "../../src/job/timeouts.ts";
import { isEnded } from "../../src/job/status.ts";
import type { ReleasedAttempt } from "../../src/job/unreleased.ts";
import { outstanding, runTimeMs } from "../../src/job/work.ts";
import type { JobReleases } from "./job-releases.ts";
import type { JobSpill } from "./job-spill.ts";
import type { JobWork, Refused } from "./job-work.ts";
import type { LiveJob } from "./live-job.ts";

/** What time brings to a job: deadlines and retries that are due, work that nobody knows any more, steps that were cut off. */
export class JobUpkeep {
  readonly #work: JobWork;
  readonly #live: LiveJob;
  readonly #spill: JobSpill;
  readonly #releases: JobReleases;
  readonly #settings: Configuration;

  constructor(work: JobWork, live: LiveJob, spill: JobSpill, releases: JobReleases, settings: Configuration) {
    this.#work = work;
    this.#spill = spill;
    this.#releases = releases;
    this.#live = live;
    this.#settings = settings;
  }

  /** Does whatever is due by now. */
  async catchUp(): Promise<void> {
    this.onTime();
    const { record } = this.#live;
    if (record !== null && !isEnded(record.status) && record.pause === null && record.cancellation === null) {
      const now = Date.now();
      await this.#endUntaken(record, now);
      if (record.checkAt !== null && record.checkAt <= now) await this.#check();
      if (this.#live.record?.spillAt != null && this.#live.record.spillAt <= Date.now()) await this.#spill.look();
      this.onTime();
    }
    if (this.#live.record?.pause != null) await this.settlePause();
    await Promise.all([this.#live.flush(), this.#releases.again()]);
  }

  /** An attempt came to nothing without a result: it is offered anew. An attempt that is not current changes nothing. */
  lose(taskId: string, attempt: number, reason: LossReason, detail?: string): void {
    const { record, branches } = this.#live;
    if (record === null || isEnded(record.status)) return;
    this.#apply(loseTask(record, branches.open, taskId, attempt, reason, this.#live.around(), detail));
  }

  /** An attempt could not be dispatched. @returns whether that changed the job */
  giveUp(offered: OfferedAttempt, reason: string): boolean {
    const { record, branches } = this.#live;
    if (record === null || isEnded(record.status)) return false;
    const change = failUndelivered(record, branches.open, offered, reason, this.#live.around());
    this.#apply(change);
    return change !== null;
  }

  /** Children have ended, or could not begin. */
  childrenEnded(ended: readonly Refused[]): void {
    for (const { taskId, outcome } of ended) {
      const { record, blueprint, branches } = this.#live;
      if (record === null) return;
      // Without its blueprint nobody can say what follows: the next step quarantines the job with that reason.
      const change =
        blueprint === null
          ? changed({ ...record, status: "running" })
          : takeChildOutcome(record, blueprint, branches.open, taskId, outcome, this.#live.around());
      if (!isEnded(record.status)) this.#apply(change);
    }
  }

  /** A cancel was asked for: calls back what is out, and ends the job at once when nobody has anything of it. */
  async settleCancel(attempts: readonly ReleasedAttempt[]): Promise<void> {
    const { record } = this.#live;
    if (record === null || record.cancellation === null) return;
    const children = outstanding(record, this.#live.branches.open).filter((task) => task.child !== null);
    const held = [...(await this.#releases.send(attempts)), ...children.map((task) => task.id)];
    const now = this.#live.record;
    if (now === null || now.cancellation === null) return;
    // Some may have answered while the registry was asked.
    const open = new Set(outstanding(now, this.#live.branches.open).map((task) => task.id));
    const narrowed = narrowCancel(
      now,
      held.filter((id) => open.has(id)),
      this.#live.around(),
    );
    if (narrowed.cancellation === null) this.#live.apply(changed(narrowed));
    else this.#live.note({ cancellation: narrowed.cancellation });
  }

  /** The job was paused: what no worker has yet is taken back until it is resumed. */
  async settlePause(): Promise<void> {
    const { record } = this.#live;
    if (record === null || record.pause === null) return;
    const tasks = outstanding(record, this.#live.branches.open).filter((task) => task.child === null);
    const answers = await this.#work.withdraw(record, tasks);
    const now = this.#live.record;
    if (now === null) return;
    // What a shard that is away has waiting is taken back by the alarm, unless a worker was quicker.
    const isAway = tasks.some((_, i) => (answers[i] ?? null) === null);
    if (isAway && now.pause !== null) this.#live.times.withdrawAgain(Date.now() + this.#settings.leaseMs);
    const back = tasks.filter((_, i) => answers[i] === "withdrawn").map((task) => task.id);
    this.#apply(holdBack(now, this.#live.branches.open, back, this.#live.around()));
  }

  #apply(change: Change | null): void {
    if (change !== null) this.#live.apply(change);
  }

  /** Everything that time alone brings, the most urgent first. */
  onTime(): void {
    for (;;) {
      const { record, blueprint, branches } = this.#live;
      if (record === null || isEnded(record.status)) return;
      const change = dueChange(record, blueprint, branches.open, this.#live.around());
      if (change === null) return;
      const before = record.eventSeq;
      this.#live.apply(change);
      // A slow step that is under way takes its own time; its next look is later.
      if (change.record.status === "running" && this.#live.record?.eventSeq === before) return;
    }
  }

  /** Ends the wait of tasks that no worker took in time, unless one has it by now. */
  async #endUntaken(record: JobRecord, now: number): Promise<void> {
    const late = outstanding(record, this.#live.branches.open).filter(
      (task) => task.dispatchBy !== null && task.dispatchBy <= now,
    );
    const answers = await this.#work.withdraw(record, late);
    for (const [i, answer] of answers.entries()) {
      const task = late[i];
      const job = this.#live.record;
      if (task === undefined || job === null || isEnded(job.status)) continue;
      if (answer === "held") this.#taken(job, task);
      // A worker may have it, and is expected back: the next alarm asks again.
      else if (answer !== null && answer !== "unsure") {
        const { dispatchTimeoutSeconds = 0 } = task.request;
        const around = this.#live.around();
        const open = this.#live.branches.open;
        this.#apply(timeOutTask(job, open, task.id, task.attempt, "dispatch", dispatchTimeoutSeconds, around));
      }
    }
  }

  /** A worker has the task: it need not be taken by anybody any more. */
  #taken(job: JobRecord, task: Task): void {
    if (job.task?.id === task.id) {
      this.#live.note({ task: { ...job.task, dispatchBy: null } });
      return;
    }
    const branch = this.#live.branches.open.get(task.id);
    if (branch === undefined) return;
    const taken = { ...branch, dispatchBy: null };
    this.#live.apply({ record: job, branches: [taken], writeRecord: false, offers: [], releases: [] });
  }

  /** Asks for the work that is out: offers anew what nobody knows, ends what has run too long. */
  async #check(): Promise<void> {
    const { record } = this.#live;
    if (record === null || record.checkAt === null) return;
    const out = outstanding(record, this.#live.branches.open);
    const tasks = out.filter((task) => task.child === null);
    const found = await this.#work.locate(record, tasks);
    let next = Date.now() + this.#settings.leaseMs;
    for (const [i, where] of found.entries()) {
      const task = tasks[i];
      if (task === undefined || where === null) continue;
      if (where.is === "unknown") this.lose(task.id, task.attempt, "unknown");
      if (where.is === "waiting" && !this.#spill.isOff) this.#spill.watch(Date.now());
      if (where.is === "unsure") next = Math.min(next, where.until);
      if (where.is !== "held") continue;
      this.#live.worker = { taskId: task.id, id: where.workerId };
      const endsAt = where.since + this.#timeoutMs(task);
      if (endsAt > Date.now()) next = Math.min(next, endsAt);
      else this.#endOverdue(task);
    }
    this.childrenEnded(await this.#work.seeToChildren(record, out));
    // Not written: after a crash the stored, earlier time only leads to one more check.
    if (this.#live.record?.checkAt != null) this.#live.note({ checkAt: next });
  }

  #endOverdue(task: Task): void {
    const { record, branches } = this.#live;
    if (record === null || isEnded(record.status)) return;
    const seconds = this.#timeoutMs(task) / 1000;
    this.#apply(timeOutTask(record, branches.open, task.id, task.attempt, "execution", seconds, this.#live.around()));
  }

  #timeoutMs(task: Task): number {
    return runTimeMs(task.request, this.#settings.taskTimeoutMs);
  }
}
