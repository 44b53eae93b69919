import { retryDelayMs } from "../../src/job/retry-policy.ts";
import { T0 } from "./job-builders.ts";
import { ENDS, type Plan, type StepPlan } from "./job-plan.ts";
import { stateAfter, transitionsOf } from "./job-plan-blueprint.ts";

/** Times are ms of the job's own clock unless they say otherwise. */
export interface ModelTask {
  readonly id: string;
  readonly child: boolean;
  attempt: number;
  failures: number;
  losses: number;
  /** When it goes out again; null while it is out. */
  restsUntil: number | null;
  /** Held back until there is a place for it. */
  queued: boolean;
  /** When a worker took it, by the wall's clock. */
  takenAt: number | null;
  takeBy: number | null;
  resultBy: number | null;
  /** The status word that counted, once it has ended. */
  ended: string | null;
}

interface ModelWait {
  readonly id: string;
  readonly until: number | null;
  /** Who has said what. */
  readonly said: { readonly by: string; readonly word: string }[];
}

/** What a random job is and how it goes from state to state, in the simplest words there are. */
export class ModelStates {
  readonly plan: Plan;
  status = "pending";
  state = "s0";
  handlerFailures = 0;
  /** The task of the present state, or the branches of its fan-out. */
  tasks: ModelTask[] = [];
  wait: ModelWait | null = null;
  /** Events that nobody waits for yet. */
  readonly mailbox: { readonly name: string; readonly mark: number }[] = [];
  /** What must be in state_history. */
  readonly knows: Record<string, unknown> = {};
  /** What must have left the job besides work, in order. */
  readonly told: string[] = [];
  /** Every run of an aggregator, with the words it sees. */
  readonly joined: { readonly state: string; readonly words: readonly (string | null)[] }[] = [];
  cancelling: { readonly until: number; readonly waitsFor: Set<string> } | null = null;
  /** A cancelled job that runs its clean-up state. */
  cleaning = false;
  pausedAt: number | null = null;
  wakeAt: number | null;
  deadline: number | null;
  endedByState = false;
  now = T0;
  /** How long the job has been paused in all: its own clock is that much behind. */
  #pausedMs = 0;
  #made = 0;
  #hops = 0;
  readonly #calls = new Map<string, number>();

  constructor(plan: Plan) {
    this.plan = plan;
    this.wakeAt = T0 + plan.startsInMs;
    this.deadline = plan.timeout && this.wakeAt + plan.timeout.seconds * 1000;
  }

  get ended(): boolean {
    return ["finished", "failed", "quarantined", "cancelled"].includes(this.status);
  }

  get pausedMs(): number {
    return this.#pausedMs;
  }

  /** The job's own clock, which stands still while it is paused. */
  get clock(): number {
    return (this.pausedAt ?? this.now) - this.#pausedMs;
  }

  get open(): ModelTask[] {
    return this.tasks.filter((task) => task.ended === null);
  }

  /** The attempts that are out. */
  get out(): ModelTask[] {
    return this.open.filter((task) => task.restsUntil === null && !task.queued);
  }

  get step(): StepPlan | undefined {
    return this.plan.steps[Number(this.state.slice(1))];
  }

  /** The fan-out the job waits for. */
  get fan(): Extract<StepPlan, { kind: "fan" }> | null {
    return this.state.startsWith("s") && this.step?.kind === "fan" ? this.step : null;
  }

  /** Where a word leads from here. */
  leads(...words: readonly string[]): string | undefined {
    const transitions = transitionsOf(this.plan, this.state);
    const word = words.find((each) => Object.hasOwn(transitions, each));
    return word === undefined ? undefined : transitions[word];
  }

  get next(): string {
    return stateAfter(this.plan, Number(this.state.slice(1)));
  }

  /** Every state it may be sent to by hand. */
  get states(): string[] {
    return [...this.plan.steps.map((_, index) => `s${index}`), "tidy", ...Object.keys(ENDS)];
  }

  unpause(): void {
    if (this.pausedAt !== null) this.#pausedMs += this.now - this.pausedAt;
    this.pausedAt = null;
  }

  enter(state: string): void {
    const isJoin = state.startsWith("j");
    Object.assign(this, { state, status: "running", handlerFailures: 0, cancelling: null, wait: null, wakeAt: null });
    if (!isJoin) this.tasks = [];
    this.#hops += 1;
    if (this.#hops > this.plan.maxTransitions) this.end("failed");
    else this.run();
  }

  /** Sent here by hand: what went before counts for nothing. */
  sendTo(state: string): void {
    this.#hops = 0;
    this.enter(state);
  }

  /** Runs the present state once more, with all that is known. */
  again(): void {
    Object.assign(this, { status: "running", handlerFailures: 0, endedByState: false });
    if (!this.state.startsWith("j")) this.tasks = [];
    this.#hops = 0;
    this.run();
  }

  /** Goes on by itself: at its start, or after a handler has failed. */
  wake(): void {
    Object.assign(this, { status: "running", wakeAt: null });
    this.run();
  }

  end(status: string, byState = false): void {
    this.unpause();
    this.status = this.cleaning ? "cancelled" : status;
    Object.assign(this, { cancelling: null, wait: null, wakeAt: null, deadline: null, endedByState: byState });
    if (!this.state.startsWith("j")) this.tasks = [];
    if (this.plan.hasParent) this.told.push("parent");
    if (this.plan.hasWebhook) this.told.push(`job_${this.status}`);
  }

  /** A child that nobody waits for any more is told so; a worker is too, but not for certain. */
  drop(tasks: readonly ModelTask[]): void {
    for (const task of tasks) if (task.child) this.told.push(`stop ${task.id}`);
  }

  /** A task goes out for the first time: its limits count from now. */
  begin(task: ModelTask): void {
    const { takeSeconds, resultSeconds } = this.limitsOf(task);
    const after = (seconds: number | null) => (seconds === null ? null : this.clock + seconds * 1000);
    Object.assign(task, { queued: false, takeBy: after(takeSeconds), resultBy: after(resultSeconds) });
  }

  limitsOf(task: ModelTask): { takeSeconds: number | null; resultSeconds: number | null; runSeconds: number } {
    const { step, plan } = this;
    if (task.child) {
      const own = step?.kind === "child" ? step.limit : step?.kind === "fan" ? step.limits.resultTimeoutSeconds : null;
      return { takeSeconds: null, resultSeconds: own ?? null, runSeconds: Infinity };
    }
    const own = step !== undefined && "limits" in step ? step.limits : {};
    return {
      takeSeconds: own.dispatchTimeoutSeconds ?? plan.defaults.dispatchSeconds,
      resultSeconds: own.resultTimeoutSeconds ?? plan.defaults.resultSeconds,
      runSeconds: own.timeoutSeconds ?? 300,
    };
  }

  /** How often and when a failure of the present state's tasks is tried again. */
  get policy() {
    const { step, plan } = this;
    return { ...plan.retry, ...(step !== undefined && "retry" in step ? step.retry : {}) };
  }

  run(): void {
    if (this.pausedAt !== null) return;
    const { state, step } = this;
    if (Object.hasOwn(ENDS, state)) return this.end(ENDS[state as keyof typeof ENDS], true);
    if (state === "tidy") return this.#work(1, false);
    if (step === undefined) throw new Error(`The plan has no state '${state}'.`);
    const joins = state.startsWith("j");
    if (joins) this.joined.push({ state, words: this.tasks.map((task) => task.ended) });
    const call = (this.#calls.get(state) ?? 0) + 1;
    this.#calls.set(state, call);
    if (call <= (joins && step.kind === "fan" ? step.joinThrows : step.throws)) return this.#throw();
    if (joins || step.kind === "pass") return this.enter(this.next);
    if (step.kind === "fan" && step.count === 0) return this.enter(state.replace("s", "j"));
    if (step.kind === "fan") return this.#work(step.count, step.children);
    if (step.kind === "task" || step.kind === "child") return this.#work(1, step.kind === "child");
    this.#waitFor(step);
  }

  #throw(): void {
    this.handlerFailures += 1;
    if (this.handlerFailures > this.plan.maxRetries) return this.end("quarantined");
    this.status = "awaiting_retry";
    this.wakeAt = this.clock + retryDelayMs(this.handlerFailures, () => this.plan.random);
  }

  #work(count: number, child: boolean): void {
    const places = this.fan?.maxConcurrent ?? Infinity;
    const one = child ? "waiting_for_sub_job" : "waiting_for_worker";
    this.status = this.fan === null ? one : "waiting_for_parallel_tasks";
    this.#hops = 0;
    this.tasks = Array.from({ length: count }, (_, index) => ({
      id: `job-${++this.#made}`,
      child,
      attempt: 1,
      failures: 0,
      losses: 0,
      restsUntil: null,
      queued: index >= places,
      takenAt: null,
      takeBy: null,
      resultBy: null,
      ended: null,
    }));
    for (const task of this.out) this.begin(task);
  }

  #waitFor(step: Extract<StepPlan, { kind: "approval" | "event" | "sleep" }>): void {
    const seconds = step.kind === "sleep" ? step.seconds : step.limit;
    const id = `job-${++this.#made}`;
    this.wait = { id, until: seconds === null ? null : this.clock + seconds * 1000, said: [] };
    this.#hops = 0;
    this.status = step.kind === "approval" ? "waiting_for_human" : "waiting_for_event";
    if (step.kind === "approval") this.told.push(`ask ${id}`);
    if (step.kind === "approval" && this.plan.hasWebhook) this.told.push("approval_needed");
    if (step.kind !== "event") return;
    const early = this.mailbox.findIndex((event) => event.name === step.event);
    const [event] = early < 0 ? [] : this.mailbox.splice(early, 1);
    if (event !== undefined) this.receive(event.name, event.mark);
  }

  receive(name: string, mark: number): void {
    this.knows[name] = mark;
    this.enter(this.next);
  }
}
