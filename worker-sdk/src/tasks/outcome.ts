import {
  taskOutcome,
  type ErrorCode,
  type FilesByKey,
  type JsonObject,
  type TaskPayload,
  type TaskResult,
} from "../protocol/index.ts";
import { HandlerError, PermanentError } from "../errors.ts";
import { describeError } from "../logger.ts";

/** Why a task failed: a code of the orchestrator (spec §4) and a text for people. An unknown or absent code counts as transient. */
export type OutcomeError = {
  code?: ErrorCode | (string & {}) | undefined;
  message?: string | undefined;
  [detail: string]: unknown;
};

/** What became of a task. `status` is `success`, `failure`, `cancelled`, or a word the blueprint has a transition for. */
export interface Outcome<Data = unknown> {
  status: string;
  data?: Data | undefined;
  error?: OutcomeError | string | null | undefined;
  /** What is known of files the data names, by the keys that lead to them; made by the worker, not by handlers. */
  dataMetadata?: FilesByKey;
}

const OUTCOME_KEYS = new Set(["status", "data", "error"]);

/** An outcome of a task that did its work; `status` picks the transition of the blueprint. Data must be JSON. */
export function success<Data>(data?: Data, status = "success"): Outcome<Data> {
  return data === undefined ? { status } : { status, data };
}

/** An outcome of a task that did not do its work. */
export function failure(error: OutcomeError | string): Outcome<never> {
  return { status: "failure", error };
}

/**
 * Reads what a handler returned.
 *
 * An object is taken as an outcome only when its `status` is a string and it has no keys besides `status`, `data` and
 * `error`. Everything else is the data of a success; `undefined` is a success without data. To return data that happens
 * to look like an outcome, wrap it: `success({ status: "open" })`.
 * @throws PermanentError when the value cannot be sent: not JSON, or an outcome whose `error` is malformed
 */
export function readReturnValue(returned: unknown): Outcome {
  return asJson(isOutcome(returned) ? parseOutcome(returned) : success(returned));
}

/** The failure that stands for an error a handler threw: its own code when it is a `HandlerError`, else transient. */
export function outcomeOfError(thrown: unknown): Outcome {
  const code = thrown instanceof HandlerError ? thrown.code : "TRANSIENT_ERROR";
  return failure({ code, message: describeError(thrown) });
}

/** The message that reports an outcome; `attempt` and `lease` prove whose it is. */
export function resultOf(task: TaskPayload, outcome: Outcome, workerId: string): TaskResult {
  const { job_id, task_id, attempt, lease } = task;
  const { dataMetadata, ...result } = outcome;
  const metadata = dataMetadata === undefined ? {} : { data_metadata: dataMetadata };
  return { job_id, task_id, worker_id: workerId, attempt, lease, result, ...metadata };
}

function isOutcome(value: unknown): value is JsonObject {
  if (typeof value !== "object" || value === null || !("status" in value)) return false;
  return typeof value.status === "string" && Object.keys(value).every((key) => OUTCOME_KEYS.has(key));
}

function parseOutcome(value: JsonObject): Outcome {
  const parsed = taskOutcome.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new PermanentError(
    'The handler returned an outcome with a malformed error. Return { status: "failure", error: { code, message } }.',
  );
}

/** The same outcome. @throws PermanentError when it cannot be sent */
export function asJson(outcome: Outcome): Outcome {
  try {
    JSON.stringify(outcome);
    return outcome;
  } catch (error) {
    throw new PermanentError(`The handler returned data that is not JSON: ${describeError(error)}`);
  }
}
