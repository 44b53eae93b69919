import type { TaskOutcome } from "@batuta/worker/protocol";
import { MAX_CLOCK_DIFFERENCE_MS, MAX_ERROR_CHARS } from "../limits.ts";
import { clockOf } from "./clock.ts";
import type { Failure, JobRecord, Surroundings, Task } from "./record.ts";
import { retryDelayMs } from "./retry-policy.ts";
import { nextAttempt } from "./work.ts";

const MAX_CODE_CHARS = 100;

/** A task that never came to a worker, because its offer could not be brought to the registry. */
export const DISPATCH_ERROR = "DISPATCH_ERROR";

/** Our own words, for attempts that we ended ourselves; of a worker they mean a failure that may pass. */
const OWN_CODES: ReadonlySet<string> = new Set(["TIMEOUT_ERROR", DISPATCH_ERROR]);

/**
 * A worker that keeps to its task's deadline may end the attempt a moment before we do: it names the deadline then (epoch s).
 * One that gives up by a limit of its own may do better next time.
 */
function isTimeout({ code, deadline }: { code: string; deadline?: unknown }, now: number): boolean {
  const names = code === "TIMEOUT_ERROR" && typeof deadline === "number";
  return names && deadline * 1000 <= now + MAX_CLOCK_DIFFERENCE_MS;
}

/**
 * Reads `error` of a failure result: an object, a bare text, or nothing (reference B.6).
 * @param now epoch ms, by which the worker's word on a time limit is judged
 */
export function failureOf(outcome: TaskOutcome, now = 0): Failure {
  const { error } = outcome;
  if (typeof error === "string") return { code: "TRANSIENT_ERROR", message: error.slice(0, MAX_ERROR_CHARS) };
  if (error === undefined || error === null) return { code: "TRANSIENT_ERROR", message: "No error details provided." };
  const { code = "TRANSIENT_ERROR", message = "No error message provided." } = error;
  return {
    code:
      OWN_CODES.has(code) && !isTimeout({ ...error, code }, now) ? "TRANSIENT_ERROR" : code.slice(0, MAX_CODE_CHARS),
    message: message.slice(0, MAX_ERROR_CHARS),
  };
}

interface FinalEnd {
  readonly status: "failed" | "quarantined";
  readonly text: (message: string) => string;
}

const quarantined = (code: string): readonly [string, FinalEnd] => [
  code,
  { status: "quarantined", text: (message) => `Task failed with permanent error (${code}): ${message}` },
];

/** The failures that do not pass, and the end each gives the job (spec §4, reference B.12). All others may pass. */
const FINAL: ReadonlyMap<string, FinalEnd> = new Map<string, FinalEnd>([
  ["PERMANENT_ERROR", { status: "quarantined", text: (message) => `Task failed with permanent error: ${message}` }],
  quarantined("SECURITY_ERROR"),
  quarantined("DEPENDENCY_ERROR"),
  quarantined("CONTRACT_VIOLATION_ERROR"),
  ["INVALID_INPUT_ERROR", { status: "failed", text: (message) => `Task failed due to invalid input: ${message}` }],
  [
    "INTEGRITY_MISMATCH_ERROR",
    { status: "failed", text: (message) => `Task failed due to data integrity mismatch: ${message}` },
  ],
  ["TIMEOUT_ERROR", { status: "failed", text: (message) => message }],
  [DISPATCH_ERROR, { status: "quarantined", text: (message) => `Task could not be dispatched. ${message}` }],
]);

/** True when no further attempt is to be made: the failure is final, or the attempts are spent. A child job retries for itself. */
export function isSpent(task: Task, failure: Failure, around: Surroundings): boolean {
  const attempts = task.request.retry?.maxAttempts ?? around.settings.maxRetries + 1;
  return task.child !== null || FINAL.has(failure.code) || task.failures + 1 >= attempts;
}

/** How a job ends whose blueprint has no answer to the failure of its task. */
export function endFor(
  task: Task,
  failure: Failure,
): { readonly status: "failed" | "quarantined"; readonly error: string } {
  if (task.child !== null) return { status: "failed", error: failure.message };
  const final = FINAL.get(failure.code);
  return {
    status: final?.status ?? "quarantined",
    error: final?.text(failure.message) ?? `Task failed after ${task.failures + 1} attempts: ${failure.message}`,
  };
}

/** The next attempt after a failure that may pass, waiting out its backoff. */
export function retried<T extends Task>(job: JobRecord, task: T, around: Surroundings): T {
  const failures = task.failures + 1;
  const retryAt = clockOf(job, around) + retryDelayMs(failures, () => around.random(), task.request.retry);
  return { ...nextAttempt(task, retryAt, around), failures, retryAt };
}
