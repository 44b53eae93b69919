import { taskOutcome, type FilesByKey, type JsonObject, type TaskOutcome } from "@batuta/worker/protocol";
import { asJson } from "./as-json.ts";

/** What a fake worker is told beside the params of its task. */
export interface FakeTask {
  readonly jobId: string;
  readonly taskId: string;
  /** 1 for the first hand-over of the task, one more each time it is offered again. */
  readonly attempt: number;
  /** What is known of the files that the params name; undefined when nothing is. */
  readonly paramsMetadata?: FilesByKey | undefined;
  /** Aborted when the work is not wanted any more. */
  readonly signal: AbortSignal;
  /** Tells how far the task is, from 0 to 1. */
  sendProgress(progress: number, message?: string): void;
  /** Tells what happens meanwhile; the blueprint may go on from it (`eventTransitions`). */
  sendEvent(type: string, payload?: JsonObject): void;
}

/**
 * Does tasks of one type in place of a worker. What it returns is the data of a success, as with a handler of
 * `@batuta/worker`; an object of `status`, `data` and `error` alone is the outcome itself. What it throws is a failure:
 * with the error's own `code` when it has one, else one that may pass. Params may be given a type of their own.
 */
// A method's parameters may be narrower than declared, which a function's may not.
export type FakeWorker = { work(params: JsonObject, task: FakeTask): unknown }["work"];

/** What becomes of a task: a worker reports how it ended, keeps it for the test to say, keeps it for ever, or vanishes with it. */
export type Deed =
  | { readonly does: "reports"; readonly outcome: TaskOutcome }
  | { readonly does: "waits" }
  | { readonly does: "hangs" }
  | { readonly does: "vanishes" };

/** An answer that stands for something else than data. Returned by a fake worker. */
export class FakeAnswer {
  readonly deed: Deed;

  constructor(deed: Deed) {
    this.deed = deed;
  }
}

/**
 * The task is done, and this word says which transition is taken. `success` is what plain data means.
 * @param dataMetadata what a worker says of the files that the data names, by the keys that lead to them
 */
export function result(status: string, data?: unknown, dataMetadata?: FilesByKey): FakeAnswer {
  return new FakeAnswer({ does: "reports", outcome: doneWith(status, data, dataMetadata) });
}

/** The outcome of a task that was done. */
export function doneWith(status: string, data?: unknown, files?: FilesByKey): TaskOutcome {
  return outcomeOf({
    status,
    ...(data === undefined ? {} : { data }),
    ...(files === undefined ? {} : { data_metadata: files }),
  });
}

/**
 * A worker takes the task, and the test says what it answers: through `job.task(type)`. As a fake worker it stands for
 * all tasks of the type: `{ resize: byHand }`.
 */
export function byHand(): FakeAnswer {
  return new FakeAnswer({ does: "waits" });
}

/** A worker takes the task and is not heard of again; the task ends when its time is over. */
export function noAnswer(): FakeAnswer {
  return new FakeAnswer({ does: "hangs" });
}

/** The worker is lost with the task, which is offered to another one: a new attempt. */
export function workerLost(): FakeAnswer {
  return new FakeAnswer({ does: "vanishes" });
}

/** Asks a fake worker. Never rejects. What it answers once the task is not wanted any more means just that. */
export async function ask(worker: FakeWorker, params: JsonObject, task: FakeTask): Promise<Deed> {
  const deed = await work(worker, params, task);
  return task.signal.aborted && deed.does === "reports" ? { does: "reports", outcome: { status: "cancelled" } } : deed;
}

async function work(worker: FakeWorker, params: JsonObject, task: FakeTask): Promise<Deed> {
  // Whether they return or throw, fakes that answer at once answer in the order in which they were asked.
  const asked = async () => {
    // A worker that listens for the abort would miss one that came before.
    task.signal.throwIfAborted();
    return worker(params, task);
  };
  try {
    const returned = await asked();
    return returned instanceof FakeAnswer ? returned.deed : { does: "reports", outcome: readReturned(returned) };
  } catch (thrown) {
    return { does: "reports", outcome: failureOf(thrown) };
  }
}

const OUTCOME_KEYS: ReadonlySet<string> = new Set(["status", "data", "error"]);

/** The rule of `@batuta/worker`, so that a worker's own function may be its fake. */
function isOutcome(returned: unknown): returned is { status: string } {
  if (typeof returned !== "object" || returned === null || !("status" in returned)) return false;
  return typeof returned.status === "string" && Object.keys(returned).every((key) => OUTCOME_KEYS.has(key));
}

function readReturned(returned: unknown): TaskOutcome {
  if (isOutcome(returned)) return outcomeOf(returned);
  return outcomeOf(returned === undefined ? { status: "success" } : { status: "success", data: returned });
}

/** An outcome as it reaches the job. */
function outcomeOf(outcome: unknown): TaskOutcome {
  try {
    return taskOutcome.parse(asJson(outcome));
  } catch (error) {
    return failure("PERMANENT_ERROR", `The fake worker's answer cannot be sent: ${messageOf(error)}`);
  }
}

function failureOf(thrown: unknown): TaskOutcome {
  const own = thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" ? thrown.code : null;
  return failure(own ?? "TRANSIENT_ERROR", messageOf(thrown));
}

/** A task that was not done; `code` says whether that may pass. */
export function failure(code: string, message: string): TaskOutcome {
  return { status: "failure", error: { code, message } };
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message || thrown.name : String(thrown);
}
