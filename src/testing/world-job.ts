import type { ResultAck, TaskOutcome } from "@batuta/worker/protocol";
import type { CompleteBlueprint } from "../blueprint/index.ts";
import type { JobEvent } from "../history/events.ts";
import { unsentEvents } from "../job/events.ts";
import type { Change, FanOut, JobRecord, MachineSettings, Notice, Task } from "../job/record.ts";
import { isEnded } from "../job/status.ts";
import type { ReleasedAttempt } from "../job/unreleased.ts";
import { outstanding } from "../job/work.ts";
import type { NoticeMessage } from "../notices/messages.ts";
import { MemoryJob } from "./memory-job.ts";

/** Under whose name fake workers and the test itself report. */
export const TEST_WORKER = "test-worker";

/** Who has an attempt: a fake worker that is at it, the test, or a worker that will never answer. */
export type Holder = "worker" | "test" | "nobody";

interface Attempt {
  readonly number: number;
  readonly letGo: AbortController;
  holder: Holder;
}

interface WorldJobNeeds {
  readonly created: JobRecord;
  readonly blueprint: CompleteBlueprint;
  readonly settings: MachineSettings;
  readonly now: () => number;
  readonly random: () => number;
  /** Called when something is to leave the job. */
  readonly touched: (job: WorldJob) => void;
}

/** One job of a test's world: the job in memory, and what has left it so far. */
export class WorldJob {
  readonly memory: MemoryJob;
  readonly blueprint: CompleteBlueprint;
  readonly history: JobEvent[] = [];
  /** What clients and people have been told. */
  readonly told: NoticeMessage[] = [];
  readonly #attempts = new Map<string, Attempt>();
  #commits: Change[] = [];
  #fanOut: FanOut | null = null;
  #steps = 0;

  constructor({ created, blueprint, settings, now, random, touched }: WorldJobNeeds) {
    this.blueprint = blueprint;
    this.memory = new MemoryJob({
      created,
      blueprint,
      settings,
      now,
      random,
      committed: (change) => {
        this.#remember(change);
        this.#commits.push(change);
        touched(this);
      },
    });
    this.history.push(...unsentEvents(created, []));
  }

  get record(): JobRecord {
    return this.memory.record;
  }

  get isLive(): boolean {
    return !isEnded(this.record.status);
  }

  /** Tasks for workers that are out at this moment, in order. */
  get openTasks(): readonly Task[] {
    return !this.isLive ? [] : outstanding(this.record, this.memory.open).filter((task) => task.child === null);
  }

  /** Who has the present attempt of a task; null while no worker has taken it. */
  holderOf(task: Task): Holder | null {
    const attempt = this.#attempts.get(task.id);
    return attempt?.number === task.attempt ? attempt.holder : null;
  }

  /** A fake worker takes a task. @returns what tells it that the task is not wanted any more */
  take(task: Task): AbortSignal {
    const letGo = new AbortController();
    this.#attempts.set(task.id, { number: task.attempt, letGo, holder: "worker" });
    this.memory.take(task.id);
    return letGo.signal;
  }

  /** Leaves a task that was taken to somebody else; nothing happens once it is another attempt's turn. */
  leaveTo(holder: Holder, task: Task): void {
    const attempt = this.#attempts.get(task.id);
    if (attempt?.number === task.attempt) attempt.holder = holder;
  }

  progress(taskId: string, progress: number, message?: string): void {
    this.memory.progress(taskId, progress, message);
  }

  /** @throws {Error} when the payload does not fit the job */
  workerEvent(taskId: string, type: string, payload: unknown): void {
    this.memory.workerEvent({ taskId, workerId: TEST_WORKER, type, eventId: null, payload, holds: true });
  }

  report({ id, attempt, lease }: Task, outcome: TaskOutcome): ResultAck {
    return this.memory.report({ taskId: id, attempt, lease, workerId: TEST_WORKER, outcome });
  }

  lose(task: Task): void {
    this.memory.lose(task.id, task.attempt, "worker_gone");
  }

  /** Tells whoever has an attempt that it is not wanted any more. */
  release(task: ReleasedAttempt): void {
    const attempt = this.#attempts.get(task.id);
    if (attempt?.number === task.attempt) attempt.letGo.abort(new Error("The task is not wanted any more."));
  }

  /** All that was to leave the job since this was last asked. */
  leaving(): {
    readonly offers: readonly Task[];
    readonly releases: readonly ReleasedAttempt[];
    readonly notices: readonly Notice[];
  } {
    const commits = this.#commits;
    this.#commits = [];
    return {
      offers: commits.flatMap(({ offers }) => offers),
      releases: commits.flatMap(({ releases }) => releases),
      notices: this.memory.sent(),
    };
  }

  /** How many steps were begun since this was last asked. */
  newSteps(): number {
    const steps = this.#steps;
    this.#steps = 0;
    return steps;
  }

  /** The names of the states that were entered, in order. */
  get states(): string[] {
    return this.history
      .filter((event) => event.event_type === "state_started" && event.attempt_number === 1)
      .map(({ state }) => state);
  }

  #remember({ record, branches }: Change): void {
    const known = this.history.at(-1)?.seq ?? 0;
    // Branches that have ended are those of the fan-out that the job was in, which it may have left with that.
    const events = unsentEvents({ ...record, sentSeq: known }, branches, this.#fanOut ?? record.fanOut);
    this.#fanOut = record.fanOut;
    this.history.push(...events);
    this.#steps += events.filter((event) => event.event_type === "state_started").length;
  }
}
