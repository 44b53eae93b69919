import { MAX_LEASE_LOSSES } from "../../src/limits.ts";
import type { LossReason } from "../../src/job/lose-task.ts";
import { stateAfter, TARGETS, type Plan, type StepPlan, type Word } from "./job-plan.ts";

/** How a failure is meant, or what a result says otherwise. */
export type Verdict = "passing" | "permanent" | "invalid" | "timeout" | { readonly word: string };

export interface ModelTask {
  readonly id: string;
  attempt: number;
  failures: number;
  losses: number;
  /** Waits out a backoff. */
  resting: boolean;
  /** The status word that counted, once it has ended. */
  ended: string | null;
}

const END_STATUS: Readonly<Record<string, string>> = {
  done: "finished",
  sad: "failed",
  late: "failed",
  stopped: "finished",
};

/** What should become of a job, in the simplest words there are: what the engine is held against. */
export class JobModel {
  status = "running";
  state = "s0";
  handlerFailures = 0;
  /** The task of the present state, or the branches of its fan-out. */
  tasks: ModelTask[] = [];
  /** Marks of the results whose data must be in state_history. */
  readonly merged: number[] = [];
  readonly #plan: Plan;
  #made = 0;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#run();
  }

  get ended(): boolean {
    return ["finished", "failed", "quarantined", "cancelled"].includes(this.status);
  }

  /** The task whose present attempt is out, if that is the one meant. */
  current(id: string, attempt?: number): ModelTask | null {
    const task = this.tasks.find((each) => each.id === id);
    if (task === undefined || task.resting || task.ended !== null || this.ended) return null;
    return attempt === undefined || attempt === task.attempt ? task : null;
  }

  take(task: ModelTask, verdict: Verdict, mark: number): void {
    if (typeof verdict === "string") return this.fail(task, verdict);
    const step = this.#step();
    if (step?.kind === "fan") return this.#endBranch(task, verdict.word);
    const word = step?.kind === "task" ? step.words.find((each) => each === verdict.word) : undefined;
    if (word === undefined) return this.#end(verdict.word === "cancelled" ? "cancelled" : "failed");
    this.merged.push(mark);
    this.#follow(word);
  }

  fail(task: ModelTask, verdict: Exclude<Verdict, object>): void {
    if (verdict === "passing" && task.failures < this.#plan.maxRetries) {
      Object.assign(task, { failures: task.failures + 1, attempt: task.attempt + 1, resting: true });
      return;
    }
    const step = this.#step();
    if (step?.kind !== "task") return this.#endBranch(task, "failure");
    if (verdict === "timeout" && step.words.includes("timeout")) return this.#follow("timeout");
    if (step.words.includes("failure")) return this.#follow("failure");
    this.#end(verdict === "invalid" || verdict === "timeout" ? "failed" : "quarantined");
  }

  lose(task: ModelTask, reason: LossReason): void {
    if (reason !== "returned" && task.losses === MAX_LEASE_LOSSES) return this.fail(task, "permanent");
    task.attempt += 1;
    if (reason !== "returned") task.losses += 1;
  }

  /** The clock has come to every backoff that ends at the same moment. */
  wake(ids: readonly string[], handler: boolean): void {
    for (const task of this.tasks) if (ids.includes(task.id)) task.resting = false;
    if (handler) this.#run();
  }

  #step(): StepPlan | undefined {
    return this.#plan.steps[Number(this.state.slice(1))];
  }

  #follow(word: Word): void {
    this.#enter(TARGETS[word] ?? stateAfter(this.#plan, Number(this.state.slice(1))));
  }

  #endBranch(task: ModelTask, word: string): void {
    task.ended = word;
    if (this.tasks.every((each) => each.ended !== null)) this.#enter(this.state.replace("s", "j"));
  }

  #enter(state: string): void {
    Object.assign(this, { state, handlerFailures: 0, tasks: [] });
    this.#run();
  }

  #end(status: string): void {
    Object.assign(this, { status, tasks: [] });
  }

  #run(): void {
    const end = END_STATUS[this.state];
    if (end !== undefined) return this.#end(end);
    const step = this.#step();
    if (step === undefined) throw new Error(`The plan has no state '${this.state}'.`);
    const joins = this.state.startsWith("j");
    if (this.handlerFailures < (joins && step.kind === "fan" ? step.joinThrows : step.throws)) {
      this.handlerFailures += 1;
      this.status = this.handlerFailures > this.#plan.maxRetries ? "quarantined" : "awaiting_retry";
      return;
    }
    if (joins || step.kind === "pass") return this.#enter(stateAfter(this.#plan, Number(this.state.slice(1))));
    if (step.kind === "fan" && step.count === 0) return this.#enter(this.state.replace("s", "j"));
    this.status = step.kind === "task" ? "waiting_for_worker" : "waiting_for_parallel_tasks";
    const fresh = { attempt: 1, failures: 0, losses: 0, resting: false, ended: null };
    const count = step.kind === "task" ? 1 : step.count;
    this.tasks = Array.from({ length: count }, () => ({ id: `job-${++this.#made}`, ...fresh }));
  }
}
