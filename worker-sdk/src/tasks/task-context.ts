import type { JsonObject } from "../protocol/index.ts";
import type { Outcome } from "./outcome.ts";
import type { EventSchemas, SendEventOf } from "./task-events.ts";

/** What a handler is called with. */
export interface TaskContext<Params = JsonObject, Events extends EventSchemas = EventSchemas> {
  /** What the blueprint sends along; checked by the task's schema when it has one. */
  params: Params;
  jobId: string;
  taskId: string;
  /** 1 for the first hand-over of this task, one more each time it is offered again. */
  attempt: number;
  /** Larger is more urgent. */
  priority: number;
  /** W3C trace headers (`traceparent`, …) of the job. */
  tracingContext: Record<string, string>;
  /** Latest time for the result, by the orchestrator's clock; absent when the task has no time limit. */
  deadline?: Date;
  /** Aborted when the work is no longer wanted; its `reason` is a `TaskAbortedError`. */
  signal: AbortSignal;
  /**
   * Tells how far the task is: a share from 0 to 1 (values outside are cut off) and a text. Call it as often as you like;
   * only the latest value is sent, a few times a second. Never fails and does not wait for the network.
   */
  sendProgress: (progress: number, message?: string) => Promise<void>;
  /** Tells the job something before the task ends; see {@link SendEvent}. */
  sendEvent: SendEventOf<Events>;
  /** Writes lines to the log of the job. Never fails and does not wait for the network. */
  log: TaskLogger;
  /** Tells the orchestrator that something, a model say, is loaded here from now on; see `Worker.addToHotCache`. */
  addToHotCache: (name: string) => void;
  removeFromHotCache: (name: string) => void;
  /**
   * Makes a folder for this attempt alone at the first call, and resolves to its path. It is removed when the task has ended;
   * files in it that the result names are taken to the worker's object store before, if it has one.
   * @throws PermanentError where there is no file system
   */
  workspace: () => Promise<string>;
}

/** What became of an event: the job took it, or will never take it, and why. */
export type EventAnswer = { accepted: true } | { accepted: false; reason: string };

export interface EventOptions {
  /**
   * Names the event for ever, at most 200 characters: however often an event of this name is sent, it counts once for its
   * job. Give one, such as `${taskId}-halfway`, when the task may be done again and the event must not count again.
   * Default: a random one, which only keeps a repetition on the way from counting twice.
   */
  eventId?: string;
}

/**
 * Tells the job something before the task ends; where the task has an event transition for this type, the job moves on. The
 * payload is merged into the job's state history then.
 *
 * Waits until the orchestrator has answered, through broken connections too. Never rejects; an event is given up when the
 * task ends or is aborted before.
 */
export type SendEvent = (type: string, payload?: JsonObject, options?: EventOptions) => Promise<EventAnswer>;

/** Writes to the log of a job: a text, cut off after 1,000 characters, and further facts as JSON. */
export interface TaskLogger {
  debug(message: string, fields?: JsonObject): void;
  info(message: string, fields?: JsonObject): void;
  warn(message: string, fields?: JsonObject): void;
  error(message: string, fields?: JsonObject): void;
}

/** What a handler may return; see `readReturnValue` for how the parts of the union are told apart. */
export type HandlerReturn = Outcome | object | string | number | boolean | null | undefined | void;

/** What the handler of a task with a result schema may return: data that fits, or an outcome. */
type TypedReturn<Result> = unknown extends Result ? HandlerReturn : Result | Outcome<Result>;

/** The work itself. Throw `PermanentError`, `InvalidInputError` or any other error when it cannot be done. */
export type TaskHandler<Params = JsonObject, Result = unknown, Events extends EventSchemas = EventSchemas> = (
  context: TaskContext<Params, Events>,
) => TypedReturn<Result> | Promise<TypedReturn<Result>>;

/** What a middleware is called with: the handler's context, with the params as they came, and the name of the task. */
export interface MiddlewareContext extends TaskContext<unknown> {
  readonly task: string;
}

/**
 * Wraps every handler. `next` calls what it wraps, once at most, and resolves to the outcome, or rejects with what was thrown;
 * what the middleware returns is read as a handler's return value is. To set `context.params` changes what comes inside.
 */
export type Middleware = (
  context: MiddlewareContext,
  next: () => Promise<Outcome>,
) => HandlerReturn | Promise<HandlerReturn>;
