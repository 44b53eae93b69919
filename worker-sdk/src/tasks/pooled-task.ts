import {
  workerEvent,
  type JobLogLine,
  type ProgressUpdate,
  type TaskLog,
  type TaskPayload,
  type WorkerEvent,
} from "../protocol/index.ts";
import { TaskAbortedError, type AbortCause } from "../errors.ts";
import { JobLog } from "./job-log.ts";
import { describeError } from "../logger.ts";
import type { Outcome } from "./outcome.ts";
import { ProgressReporter } from "./progress-reporter.ts";
import { settlesWithin, wakeAt } from "../sleep.ts";
import type { EventAnswer, EventOptions, SendEvent } from "./task-context.ts";
import type { TaskSurroundings } from "./task-runner.ts";
import { flawOfTask } from "./task-trust.ts";

/** An event with the name by which a repetition of it is known. */
export type NamedEvent = WorkerEvent & { event_id: string };

/** Where tasks come from and what becomes of them goes back to. */
export interface TaskOrigin {
  /** What the origin signs its tasks with; undefined: they are believed as they are. */
  readonly secretKey?: string | undefined;
  /** The orchestrator's clock, by which deadlines are meant, epoch milliseconds. */
  now(): number;
  /** Takes the outcome over; from here on it is the origin's duty to bring it home. */
  deliver(task: TaskPayload, outcome: Outcome): void;
  /** Passes a progress report on, as well as it can; never rejects. */
  reportProgress(update: ProgressUpdate): Promise<void>;
  /** Brings an event to its job, and tries until it is answered or `signal` is aborted; never rejects. */
  sendEvent(event: NamedEvent, signal: AbortSignal): Promise<EventAnswer>;
  /** Passes log lines on; never rejects. False: they could not be sent now, and are to be tried again. */
  sendLog(log: TaskLog): Promise<boolean>;
}

/** What a finished handler's events get to be answered before the result is sent. */
const EVENT_GRACE_MS = 10_000;

/** A task in this worker, from its arrival to the hand-over of its outcome. */
export class PooledTask {
  readonly task: TaskPayload;
  readonly origin: TaskOrigin;
  /** Why the task must not be done; undefined where tasks are believed. */
  readonly flaw: Promise<string | undefined> | undefined;
  /** Whether it runs; else it waits for room. */
  started = false;
  readonly #abort = new AbortController();
  readonly #progress: ProgressReporter;
  readonly #log: JobLog;
  readonly #events = new Set<Promise<unknown>>();
  readonly #eventsGivenUp = new AbortController();
  readonly #stopClock: () => void;

  /** @param onDeadline called once the task's time limit has passed */
  constructor(task: TaskPayload, origin: TaskOrigin, onDeadline: () => void) {
    const { job_id, task_id, deadline } = task;
    this.task = task;
    this.origin = origin;
    const { secretKey } = origin;
    this.flaw = secretKey === undefined ? undefined : flawOfTask(task, secretKey, origin.now());
    this.#progress = new ProgressReporter((report) => origin.reportProgress({ job_id, task_id, ...report }));
    this.#log = new JobLog((lines: JobLogLine[]) => origin.sendLog({ job_id, task_id, lines }));
    this.#stopClock = deadline === undefined ? () => {} : wakeAt(deadline * 1000, onDeadline, () => origin.now());
  }

  /** What the handler gets besides its task. */
  get surroundings(): Omit<TaskSurroundings, "addToHotCache" | "removeFromHotCache"> {
    return {
      signal: this.#abort.signal,
      sendProgress: async (share, message) => this.#progress.report(share, message),
      sendEvent: (...event) => this.#sendEvent(...event),
      log: this.#log,
    };
  }

  get abortCause(): AbortCause | undefined {
    const reason: unknown = this.#abort.signal.reason;
    return reason instanceof TaskAbortedError ? reason.abortCause : undefined;
  }

  /** Aborts the handler's signal; what was aborted stays so for the first cause. */
  abort(cause: AbortCause): void {
    if (this.#abort.signal.aborted) return;
    this.#stopClock();
    if (cause !== "shutdown") {
      this.#progress.discard();
      this.#eventsGivenUp.abort();
    }
    this.#abort.abort(new TaskAbortedError(cause));
  }

  /** The handler has ended: sends what it said before, so that it arrives before the outcome, and hands that over. */
  async end(outcome: Outcome | undefined): Promise<void> {
    this.#stopClock();
    if (outcome === undefined) this.#log.discard();
    else await Promise.all([this.#progress.finish(), this.#log.finish(), this.#finishEvents()]);
    this.#eventsGivenUp.abort();
    if (outcome !== undefined) this.origin.deliver(this.task, outcome);
  }

  async #finishEvents(): Promise<void> {
    if (this.#events.size > 0) await settlesWithin(Promise.all(this.#events), EVENT_GRACE_MS);
  }

  async #sendEvent(...[type, payload, options]: Parameters<SendEvent>): Promise<EventAnswer> {
    const { signal } = this.#eventsGivenUp;
    if (signal.aborted) return { accepted: false, reason: "The task has ended, or is no longer wanted." };
    const event = eventOf(this.task, type, payload, options);
    const flaw = flawOf(event);
    if (flaw !== undefined) return { accepted: false, reason: flaw };
    const sending = this.origin.sendEvent(event, signal);
    this.#events.add(sending);
    try {
      return await sending;
    } finally {
      this.#events.delete(sending);
    }
  }
}

function eventOf(
  { job_id, task_id }: TaskPayload,
  type: string,
  payload: WorkerEvent["payload"],
  { eventId = crypto.randomUUID() }: EventOptions = {},
): NamedEvent {
  return {
    event_id: eventId,
    event_type: type,
    ...(payload !== undefined && { payload }),
    target_job_id: job_id,
    target_task_id: task_id,
  };
}

/** What keeps an event from being sent at all; undefined when nothing does. */
function flawOf(event: NamedEvent): string | undefined {
  const parsed = workerEvent.safeParse(event);
  if (!parsed.success)
    return parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ");
  try {
    JSON.stringify(event);
    return undefined;
  } catch (error) {
    return `The payload is not JSON: ${describeError(error)}`;
  }
}
