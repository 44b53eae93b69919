import type { ResultAck } from "@batuta/worker/protocol";
import type { CompleteBlueprint } from "../blueprint/index.ts";
import { narrowCancel } from "../job/cancel.ts";
import type { CommandAnswer, JobCommand } from "../job/command.ts";
import { applyCommand } from "../job/commands.ts";
import { nextDeadline } from "../job/deadlines.ts";
import { unsentEvents } from "../job/events.ts";
import { loseTask, type LossReason } from "../job/lose-task.ts";
import { failUndelivered, type OfferedAttempt } from "../job/undelivered.ts";
import { holdBack } from "../job/pause.ts";
import {
  changed,
  type Branch,
  type Change,
  type ChildOutcome,
  type JobRecord,
  type MachineSettings,
  type Notice,
  type Surroundings,
  type Task,
} from "../job/record.ts";
import { runSteps, type SlowStep } from "../job/run-steps.ts";
import { isEnded } from "../job/status.ts";
import { takeBranchResult } from "../job/take-branch.ts";
import { takeChildOutcome } from "../job/take-child.ts";
import { takeSingleResult, type ReportedResult } from "../job/take-result.ts";
import { dueChange, timeOutTask } from "../job/timeouts.ts";
import { takeWorkerEvent, type WorkerEvent } from "../job/worker-event.ts";
import { outstanding } from "../job/work.ts";
import { FIRST_SHARD } from "../registry/shard-plan.ts";
import { MemoryBranches } from "./memory-branches.ts";
import { TakenTasks } from "./taken-tasks.ts";

/** What a job in memory needs from whoever plays the world around it. */
export interface MemoryJobNeeds {
  /** The job as it is created, `pending`. */
  readonly created: JobRecord;
  readonly blueprint: CompleteBlueprint | null;
  readonly settings: MachineSettings;
  /** The clock, epoch ms; it may be moved between two calls, forwards. */
  readonly now: () => number;
  readonly random: () => number;
  /** Called after each commit: with the work that is now on offer, and what leaves the job besides. */
  readonly committed?: (change: Change) => void;
}

/**
 * A job without its object: the engine's own pure code, with memory in place of storage and nothing that happens by
 * itself. Whoever holds it plays the workers, the people and the clock. What it does is what the job object does; only
 * crashes are left out.
 */
export class MemoryJob {
  readonly #needs: MemoryJobNeeds;
  readonly #branches = new MemoryBranches();
  readonly #taken: TakenTasks;
  #job: JobRecord;
  /** The visit whose handler is under way; what an older handler decides comes too late. */
  #step: number | null = null;
  readonly #slow = new Set<Promise<void>>();
  #leases = 0;

  constructor(needs: MemoryJobNeeds) {
    this.#needs = needs;
    this.#taken = new TakenTasks(needs.settings.taskTimeoutMs);
    this.#job = needs.created;
  }

  get record(): JobRecord {
    return this.#job;
  }

  /** All branches of all fan-outs there have been, by task id. */
  get branches(): ReadonlyMap<string, Branch> {
    return this.#branches.all;
  }

  /** The branches of the present fan-out that have not ended. */
  get open(): ReadonlyMap<string, Branch> {
    return this.#branches.open;
  }

  /** All branches of the present fan-out, in submission order. */
  get fanOutBranches(): readonly Branch[] {
    return this.#branches.with(this.#job);
  }

  /** All history so far, in order, but for what was {@link sent}. */
  get events() {
    return unsentEvents(this.#job, this.branches.values());
  }

  /**
   * All that is to leave the job has left it.
   * @returns the notices among it; history is in {@link events}, before
   */
  sent(): readonly Notice[] {
    const { notices, eventSeq } = this.#job;
    this.#job = { ...this.#job, sentSeq: eventSeq, unsent: [], notices: [] };
    return notices;
  }

  /** Whether a handler is under way. */
  get isBusy(): boolean {
    return this.#step !== null;
  }

  /** Resolves once no handler is under way any more. */
  async settled(): Promise<void> {
    while (this.#slow.size > 0) await Promise.all(this.#slow);
  }

  /** A worker has taken the present attempt of a task. */
  take(taskId: string): void {
    this.#taken.take(taskId, this.#needs.now());
  }

  /** How far the job's single task is, 0 to 1. */
  progress(taskId: string, progress: number, message?: string): void {
    if (this.#job.task?.id !== taskId) return;
    this.#job = { ...this.#job, progress, ...(message === undefined ? {} : { progressMessage: message }) };
  }

  report(result: ReportedResult): ResultAck {
    const bp = this.#needs.blueprint;
    const taken =
      this.#job.fanOut === null && bp !== null
        ? takeSingleResult(this.#job, bp, result, this.#around())
        : takeBranchResult(this.#job, this.open, result, this.#around());
    this.#maybe(taken.change);
    return taken.ack;
  }

  /** @returns whether it changed anything */
  undelivered(offered: OfferedAttempt, reason: string): boolean {
    if (isEnded(this.#job.status)) return false;
    return this.#maybe(failUndelivered(this.#job, this.open, offered, reason, this.#around()));
  }

  /** @returns whether it changed anything */
  lose(taskId: string, attempt: number, reason: LossReason): boolean {
    if (isEnded(this.#job.status)) return false;
    return this.#maybe(loseTask(this.#job, this.open, taskId, attempt, reason, this.#around()));
  }

  /** @returns whether it changed anything */
  childEnded(childId: string, outcome: ChildOutcome): boolean {
    const bp = this.#needs.blueprint;
    return bp !== null && this.#maybe(takeChildOutcome(this.#job, bp, this.open, childId, outcome, this.#around()));
  }

  /** @returns whether it changed anything */
  workerEvent(event: WorkerEvent): boolean {
    const bp = this.#needs.blueprint;
    return bp !== null && this.#maybe(takeWorkerEvent(this.#job, bp, event, this.#around()));
  }

  /**
   * @param held the attempts that workers have at this moment: a cancel waits for their answers, a pause leaves them
   */
  command(by: string, asked: JobCommand, held: readonly string[] = this.#taken.ids): CommandAnswer {
    const { answer, change } = applyCommand(this.#job, this.#needs.blueprint, this.open, by, asked, this.#around());
    if (change === null) return answer;
    this.#apply(change);
    if (this.#job.cancellation !== null && asked.do === "cancel") {
      const waitsFor = outstanding(this.#job, this.open).filter(
        (task) => task.child !== null || held.includes(task.id),
      );
      this.#apply(
        changed(
          narrowCancel(
            this.#job,
            waitsFor.map(({ id }) => id),
            this.#around(),
          ),
        ),
      );
    }
    if (this.#job.pause !== null && asked.do === "pause") {
      const back = outstanding(this.#job, this.open).filter((task) => task.child === null && !held.includes(task.id));
      this.#maybe(
        holdBack(
          this.#job,
          this.open,
          back.map(({ id }) => id),
          this.#around(),
        ),
      );
    }
    // What a resumed job held back is due at once.
    if (asked.do === "resume") this.catchUp();
    return answer.ok ? { ...answer, status: this.#job.status } : answer;
  }

  /** When time will bring the next thing, epoch ms; null when time brings nothing. */
  get nextAt(): number | null {
    const job = this.#job;
    const task = job.task === null ? null : this.#taken.withoutDispatchLimit(job.task);
    const open = [...this.open.values()].map((branch) => this.#taken.withoutDispatchLimit(branch));
    const due = nextDeadline({ ...job, task, checkAt: null, unsent: [], notices: [] }, open, 0);
    const still = isEnded(job.status) || job.pause !== null || job.cancellation !== null;
    const ends = still ? [] : this.#limits().map(({ endsAt }) => endsAt);
    const first = Math.min(due ?? Infinity, ...ends);
    return first === Infinity ? null : first;
  }

  /** Does everything that is due by now. */
  catchUp(): void {
    for (let due = this.#due(); due !== null; due = this.#due()) this.#apply(due);
  }

  #due(): Change | null {
    if (isEnded(this.#job.status)) return null;
    const bp = this.#needs.blueprint;
    const change = dueChange(this.#job, bp, this.open, this.#around());
    if (change !== null || this.#job.pause !== null || this.#job.cancellation !== null) return change;
    const now = this.#needs.now();
    for (const { task, endsAt, seconds } of this.#limits()) {
      if (endsAt <= now) return this.#timedOut(task, "execution", seconds);
    }
    for (const task of outstanding(this.#job, this.open)) {
      if (task.dispatchBy === null || task.dispatchBy > now || this.#taken.has(task)) continue;
      return this.#timedOut(task, "dispatch", task.request.dispatchTimeoutSeconds ?? 0);
    }
    return null;
  }

  #timedOut(task: Task, limit: "execution" | "dispatch", seconds: number): Change | null {
    return timeOutTask(this.#job, this.open, task.id, task.attempt, limit, seconds, this.#around());
  }

  #limits() {
    return this.#taken.limits(outstanding(this.#job, this.open));
  }

  #around(): Surroundings {
    return {
      now: this.#needs.now(),
      random: this.#needs.random,
      newLease: () => `lease-${++this.#leases}`,
      place: () => FIRST_SHARD,
      settings: this.#needs.settings,
    };
  }

  #maybe(change: Change | null): boolean {
    if (change !== null) this.#apply(change);
    return change !== null;
  }

  #apply(change: Change): void {
    const { status, pause, visit } = change.record;
    if (this.#step !== visit || status !== "running") this.#step = null;
    // No time brings on a step that is under way already.
    if (this.#step !== null) this.#commit({ ...change, record: { ...change.record, wakeAt: null } });
    else if (status === "running" && pause === null) this.#run(change);
    else this.#commit(change);
  }

  #run(from: Change): void {
    const { change, slow } = runSteps(
      from,
      this.#needs.blueprint,
      (job, uncommitted) => this.#branches.with(job, uncommitted),
      () => this.#around(),
    );
    if (slow === null) return this.#commit(change);
    this.#commit({ ...change, record: { ...change.record, wakeAt: null } });
    this.#await(slow);
  }

  #await(run: SlowStep): void {
    const { visit } = run.started;
    this.#step = visit;
    const finished = async () => {
      const finish = await run.settled;
      this.#slow.delete(slow);
      // Cancelled or moved meanwhile: what the handler decided comes too late.
      if (this.#step !== visit) return;
      this.#step = null;
      this.#apply(finish(this.#job, this.#around()));
    };
    const slow = finished();
    this.#slow.add(slow);
  }

  #commit(change: Change): void {
    this.#branches.commit(change, this.#job);
    this.#job = change.record;
    this.#taken.forget([...change.offers, ...change.releases]);
    this.#needs.committed?.(change);
  }
}
