import { MAX_LEASE_LOSSES } from "../../src/limits.ts";
import type { LossReason } from "../../src/job/lose-task.ts";
import type { ChildOutcome } from "../../src/job/record.ts";
import { retryDelayMs } from "../../src/job/retry-policy.ts";
import { ModelStates, type ModelTask } from "./job-model-states.ts";

/** How a failure is meant, or what a result says otherwise. */
export type Verdict = "passing" | "permanent" | "invalid" | "timeout" | { readonly word: string };

const CHILD_WORD = {
  finished: "success",
  failed: "failure",
  quarantined: "quarantined",
  cancelled: "cancelled",
} as const;

function isBad(word: string): boolean {
  return word === "failure" || word === "cancelled";
}

/** What work, workers and time make of a random job. */
export class ModelWork extends ModelStates {
  /** The ids of events that were taken. */
  protected readonly seen = new Set<string>();

  /** The task whose present attempt is out, if that is the one meant. */
  current(id: string, attempt?: number): ModelTask | null {
    const task = this.out.find((each) => each.id === id);
    if (task === undefined || this.ended) return null;
    return attempt === undefined || attempt === task.attempt ? task : null;
  }

  take(task: ModelTask): void {
    task.takenAt = this.now;
  }

  result(task: ModelTask, verdict: Verdict, mark: number): void {
    if (typeof verdict === "string") return this.fail(task, verdict);
    if (this.cancelling !== null || this.fan !== null) return this.#endBranch(task, verdict.word);
    const next = this.leads(verdict.word);
    if (next === undefined) return this.end(verdict.word === "cancelled" ? "cancelled" : "failed");
    this.knows[`mark_${mark}`] = mark;
    this.enter(next);
  }

  fail(task: ModelTask, verdict: Exclude<Verdict, object>): void {
    const { maxAttempts = this.plan.maxRetries + 1 } = this.policy;
    if (verdict === "passing" && this.cancelling === null && task.failures + 1 < maxAttempts) {
      task.failures += 1;
      const restMs = retryDelayMs(task.failures, () => this.plan.random, this.policy);
      return this.nextAttempt(task, this.clock + restMs, this.clock + restMs);
    }
    if (this.cancelling !== null || this.fan !== null) return this.#endBranch(task, "failure");
    const next = this.leads(verdict === "timeout" ? "timeout" : "failure", "failure");
    if (next !== undefined) return this.enter(next);
    this.end(verdict === "invalid" || verdict === "timeout" ? "failed" : "quarantined");
  }

  /** Its offer died. */
  undelivered(task: ModelTask): void {
    if (this.cancelling !== null || this.fan !== null) return this.#endBranch(task, "failure");
    this.end("quarantined");
  }

  lose(task: ModelTask, reason: LossReason): void {
    if (this.cancelling !== null) return this.#endBranch(task, "failure");
    if (reason !== "returned" && task.losses === MAX_LEASE_LOSSES) return this.fail(task, "permanent");
    if (reason !== "returned") task.losses += 1;
    this.nextAttempt(task, this.clock, this.pausedAt === null ? null : this.clock);
  }

  childEnded(task: ModelTask, { status, state, result, error }: ChildOutcome): void {
    const word = CHILD_WORD[status];
    if (this.cancelling !== null || this.fan !== null) {
      return this.#endBranch(task, word === "quarantined" ? "failure" : word);
    }
    const outcome = status === "finished" ? "success" : "failure";
    const into = (this.step?.kind === "child" ? this.step.into : null) ?? `sub_job_${task.id}_result`;
    this.knows[into] = { outcome, status, final_state: state, error_message: error, result };
    const next = this.leads(word, "failure");
    if (next === undefined) this.end("failed");
    else this.enter(next);
  }

  /** @returns whether it changed anything */
  workerEvent(taskId: string, type: string, id: string, mark: number): boolean {
    if (this.ended || this.cancelling !== null || this.seen.has(`worker ${id}`)) return false;
    this.seen.add(`worker ${id}`);
    const task = this.current(taskId);
    if (task === null || task.child || this.step?.kind !== "task" || this.state === "tidy" || type !== "skip")
      return true;
    this.knows[`mark_${mark}`] = mark;
    this.enter(this.next);
    return true;
  }

  /** When time brings the next thing, by the wall's clock; null when it brings nothing. */
  get nextAt(): number | null {
    const { cancelling, pausedMs } = this;
    if (this.ended || this.pausedAt !== null) return null;
    if (cancelling !== null) return cancelling.until + pausedMs;
    const times = [this.deadline, this.wakeAt, this.wait?.until ?? null];
    const ends: number[] = [];
    for (const task of this.open) {
      times.push(task.restsUntil, task.resultBy);
      if (task.restsUntil === null && task.takenAt === null) times.push(task.takeBy);
      if (task.restsUntil === null && task.takenAt !== null) ends.push(this.#runsUntil(task, task.takenAt));
    }
    const first = Math.min(...times.map((at) => (at === null ? Infinity : at + pausedMs)), ...ends);
    return first === Infinity ? null : first;
  }

  /** Everything that is due by now, the most urgent first. */
  catchUp(): void {
    while (this.#nextDue());
  }

  #nextDue(): boolean {
    const isDue = (at: number | null | undefined) => typeof at === "number" && at <= this.clock;
    if (this.ended || this.pausedAt !== null) return false;
    if (this.cancelling !== null) return isDue(this.cancelling.until) && this.#did(() => this.finishCancel());
    if (isDue(this.deadline)) return this.#did(() => this.#outOfTime());
    if (isDue(this.wait?.until)) return this.#did(() => this.#waitedTooLong());
    const late = this.open.find((task) => isDue(task.resultBy));
    if (late !== undefined) return this.#did(() => this.#timeOut(late));
    const rested = this.open.filter((task) => isDue(task.restsUntil));
    for (const task of rested) this.#goOut(task);
    if (rested.length > 0) return true;
    if (isDue(this.wakeAt)) return this.#did(() => this.wake());
    const { out } = this;
    const slow = out.find((task) => task.takenAt !== null && this.#runsUntil(task, task.takenAt) <= this.now);
    const over = slow ?? out.find((task) => task.takenAt === null && isDue(task.takeBy));
    return over !== undefined && this.#did(() => this.#timeOut(over));
  }

  #did(what: () => void): true {
    what();
    return true;
  }

  protected nextAttempt(task: ModelTask, at: number, restsUntil: number | null): void {
    const { takeSeconds } = this.limitsOf(task);
    const takeBy = takeSeconds === null ? null : at + takeSeconds * 1000;
    Object.assign(task, { attempt: task.attempt + 1, takenAt: null, takeBy, restsUntil });
  }

  #goOut(task: ModelTask): void {
    const { takeSeconds } = this.limitsOf(task);
    const takeBy = takeSeconds === null ? null : this.clock + takeSeconds * 1000;
    Object.assign(task, { restsUntil: null, takenAt: null, takeBy });
  }

  /** A worker's time is not the job's: it runs on while the job is paused. */
  #runsUntil(task: ModelTask, takenAt: number): number {
    return takenAt + this.limitsOf(task).runSeconds * 1000;
  }

  /** One of the attempts that were out has come to its end; while the job is being cancelled no result counts. */
  #endBranch(task: ModelTask, word: string): void {
    const { fan, cancelling } = this;
    if (fan === null) return this.finishCancel();
    Object.assign(task, { ended: word, restsUntil: null });
    if (cancelling !== null) {
      cancelling.waitsFor.delete(task.id);
      if (cancelling.waitsFor.size === 0) this.finishCancel();
      return;
    }
    if (this.open.length > 0 && fan.failFast && isBad(word)) {
      this.drop(this.out);
      for (const other of this.open) Object.assign(other, { ended: "cancelled", restsUntil: null, queued: false });
    }
    if (this.open.length === 0) return this.enter(this.state.replace("s", "j"));
    if (this.pausedAt === null) this.fillPlaces();
  }

  protected fillPlaces(): void {
    const places = this.fan?.maxConcurrent ?? 0;
    for (const task of this.open) {
      if (task.queued && this.open.filter((each) => !each.queued).length < places) this.begin(task);
    }
  }

  protected finishCancel(): void {
    const waits = this.fan === null && (this.tasks.length > 0 || this.wait !== null);
    const cleanUp = waits && !this.cleaning ? this.leads("cancelled") : undefined;
    this.unpause();
    if (cleanUp === undefined) return this.end("cancelled");
    this.cleaning = true;
    this.enter(cleanUp);
  }

  #outOfTime(): void {
    this.deadline = null;
    this.drop(this.out);
    if (this.plan.timeout?.goesOn === true) this.enter("tidy");
    else this.end("failed");
  }

  #waitedTooLong(): void {
    const next = this.step?.kind === "sleep" ? this.next : this.leads("timeout");
    if (next === undefined) this.end("failed");
    else this.enter(next);
  }

  #timeOut(task: ModelTask): void {
    if (task.restsUntil === null) this.drop([task]);
    this.fail(task, "timeout");
  }
}
