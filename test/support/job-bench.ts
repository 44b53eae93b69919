import type { CompleteBlueprint } from "batuta";
import type { ResultAck } from "@batuta/worker/protocol";
import { createJob } from "../../src/job/create.ts";
import { nextDeadline } from "../../src/job/deadlines.ts";
import { unsentEvents } from "../../src/job/events.ts";
import { loseBranch, loseSingle, type LossReason } from "../../src/job/lose-task.ts";
import {
  changed,
  type Branch,
  type Change,
  type JobRecord,
  type Surroundings,
  type Task,
} from "../../src/job/record.ts";
import { runStep } from "../../src/job/run-step.ts";
import { isEnded, type JobStatus } from "../../src/job/status.ts";
import {
  failBranch,
  failSingle,
  takeBranchResult,
  takeSingleResult,
  type ReportedResult,
} from "../../src/job/take-result.ts";
import { SETTINGS, surroundings, T0 } from "./job-builders.ts";

const TIMEOUT = { code: "TIMEOUT_ERROR", message: "Worker task timed out." };

/** A job without its object: the pure machine, a clock that a test moves, and a memory of all that ever happened. */
export class JobBench {
  job: JobRecord;
  /** Branches of all fan-outs there have been, by task id. */
  readonly branches = new Map<string, Branch>();
  /** Every attempt that was ever offered, in order. */
  readonly offers: Task[] = [];
  /** Every change of status, steps between two commits included. */
  readonly moves: (readonly [from: JobStatus, to: JobStatus])[] = [];
  readonly #bp: CompleteBlueprint;
  readonly #around: Surroundings;
  #now = T0;

  constructor(bp: CompleteBlueprint, maxRetries: number) {
    this.#bp = bp;
    this.#around = surroundings({ settings: { maxRetries } });
    const client = { name: "alice", plan: "basic", params: {} };
    const input = { id: "job", client, initialData: {}, requestDigest: "", tracing: {} };
    this.job = createJob(bp, input, this.#now);
    this.#run(changed(this.job));
  }

  /** All history, in order of its numbers. */
  get events() {
    return unsentEvents(this.job, this.branches.values());
  }

  /** Branches of the present fan-out that have not ended. */
  get open(): Branch[] {
    const { fanOut } = this.job;
    if (fanOut === null) return [];
    return [...this.branches.values()].filter((branch) => branch.outcome === null && branch.number >= fanOut.first);
  }

  /** Its next deadline, unsent history aside. */
  get deadline(): number | null {
    return nextDeadline({ ...this.job, unsent: [] }, this.open, SETTINGS.leaseMs);
  }

  report(result: ReportedResult): ResultAck {
    const taken =
      this.job.fanOut === null
        ? takeSingleResult(this.job, this.#bp, result, this.#at())
        : takeBranchResult(this.job, this.branches.get(result.taskId) ?? null, this.open.length, result, this.#at());
    if (taken.change !== null) this.#apply(taken.change);
    return taken.ack;
  }

  /** @returns whether it changed anything */
  lose(taskId: string, attempt: number, reason: LossReason): boolean {
    if (isEnded(this.job.status)) return false;
    const branch = this.branches.get(taskId);
    const change =
      branch === undefined || this.job.fanOut === null
        ? loseSingle(this.job, taskId, attempt, reason, this.#at())
        : loseBranch(this.job, branch, this.open.length, attempt, reason, this.#at());
    if (change !== null) this.#apply(change);
    return change !== null;
  }

  /** Ends an attempt that has run too long, if it is the one that is out. */
  timeOut(taskId: string, attempt: number): boolean {
    const { task } = this.job;
    const out = task?.id === taskId ? task : this.open.find((branch) => branch.id === taskId);
    if (out === undefined || out.attempt !== attempt || out.retryAt !== null) return false;
    const change =
      "transitions" in out
        ? failSingle(this.job, out, TIMEOUT, null, this.#at())
        : failBranch(this.job, out, this.open.length, TIMEOUT, null, this.#at());
    this.#apply(change);
    return true;
  }

  /**
   * Lets time pass until something is due that only time brings, and does it.
   * @returns the tasks whose next attempt went out, and whether a handler had its next turn
   */
  tick(): { readonly tasks: readonly string[]; readonly handler: boolean } {
    const { wakeAt, task } = this.job;
    const times = [wakeAt, task?.retryAt, ...this.open.map((branch) => branch.retryAt)].filter(
      (at) => typeof at === "number",
    );
    if (times.length === 0) return { tasks: [], handler: false };
    this.#now = Math.max(this.#now, Math.min(...times));
    const isDue = (at: number | null) => at !== null && at <= this.#now;
    const handler = isDue(wakeAt);
    const singles = task !== null && isDue(task.retryAt) ? [{ ...task, retryAt: null }] : [];
    for (const next of singles) this.#apply(changed({ ...this.job, task: next }, [next]));
    const branches = this.open
      .filter((branch) => isDue(branch.retryAt))
      .map((branch) => ({ ...branch, retryAt: null }));
    if (branches.length > 0) this.#apply({ record: this.job, branches, writeRecord: false, offers: branches });
    if (handler) this.#run(changed(this.job));
    return { tasks: [...singles, ...branches].map(({ id }) => id), handler };
  }

  #at(): Surroundings {
    return { ...this.#around, now: this.#now };
  }

  #apply(change: Change): void {
    this.moves.push([this.job.status, change.record.status]);
    if (change.record.status === "running") this.#run(change);
    else this.#commit(change);
  }

  #run(from: Change): void {
    this.#commit(from);
    for (;;) {
      const { status, fanOut } = this.job;
      const ofFanOut = () =>
        [...this.branches.values()].filter((branch) => fanOut !== null && branch.number >= fanOut.first);
      const run = runStep(this.job, this.#bp, ofFanOut, this.#at());
      if (!("done" in run)) throw new Error("Handlers of the bench answer at once.");
      this.moves.push([status, "running"], ["running", run.done.record.status]);
      this.#commit(run.done);
      if (run.done.record.status !== "running") return;
    }
  }

  #commit(change: Change): void {
    this.job = change.record;
    for (const branch of change.branches) this.branches.set(branch.id, branch);
    this.offers.push(...change.offers);
  }
}
