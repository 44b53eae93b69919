import type { ResultAck, TaskOutcome } from "@batuta/worker/protocol";
import type { CompleteBlueprint } from "../blueprint/index.ts";
import { MAX_ERROR_CHARS, MAX_INLINE_BYTES } from "../limits.ts";
import { moveTo } from "./apply-action.ts";
import { endJob } from "./ending.ts";
import { attemptEnded, record } from "./events.ts";
import {
  changed,
  type Branch,
  type Change,
  type Failure,
  type JobRecord,
  type SingleTask,
  type Surroundings,
} from "./record.ts";
import { retryDelayMs } from "./retry-policy.ts";
import { jsonBytes, mergeStateHistory, StateHistoryError } from "./state-history.ts";
import { isEnded } from "./status.ts";

const MAX_CODE_CHARS = 100;

/** A result as it reaches the job. Workers of the model system know neither attempt nor lease. */
export interface ReportedResult {
  readonly taskId: string;
  readonly attempt?: number | undefined;
  readonly lease?: string | undefined;
  readonly workerId: string;
  readonly outcome: TaskOutcome;
}

/** How a result was taken; `change` is null when it changed nothing. */
export interface Taken {
  readonly ack: ResultAck;
  readonly change: Change | null;
}

function ignored(reason: NonNullable<ResultAck["reason"]>, message: string): Taken {
  return { ack: { status: "ignored", reason, message }, change: null };
}

/**
 * Reads `error` of a failure result: an object, a bare text, or nothing (reference B.6). `TIMEOUT_ERROR` is our own word
 * for an attempt that we ended; a worker that gives up by a limit of its own may do better next time.
 */
export function failureOf(outcome: TaskOutcome): Failure {
  const { error } = outcome;
  if (typeof error === "string") return { code: "TRANSIENT_ERROR", message: error.slice(0, MAX_ERROR_CHARS) };
  if (error === undefined || error === null) return { code: "TRANSIENT_ERROR", message: "No error details provided." };
  const { code = "TRANSIENT_ERROR", message = "No error message provided." } = error;
  return {
    code: code === "TIMEOUT_ERROR" ? "TRANSIENT_ERROR" : code.slice(0, MAX_CODE_CHARS),
    message: message.slice(0, MAX_ERROR_CHARS),
  };
}

/** The failures that do not pass, and the end each gives the job (spec §4). All others may pass. */
const FINAL = new Map<
  string,
  { readonly status: "failed" | "quarantined"; readonly text: (message: string) => string }
>([
  ["PERMANENT_ERROR", { status: "quarantined", text: (message) => `Task failed with permanent error: ${message}` }],
  ["INVALID_INPUT_ERROR", { status: "failed", text: (message) => `Task failed due to invalid input: ${message}` }],
  ["TIMEOUT_ERROR", { status: "failed", text: (message) => message }],
]);

/** The state a status word leads to. Words come from workers: `constructor` must not find what every object has. */
function transitionFor(task: SingleTask, word: string): string | undefined {
  return Object.hasOwn(task.transitions, word) ? task.transitions[word] : undefined;
}

/** True when the result belongs to the attempt that is out now. */
function isCurrent(task: { attempt: number; lease: string; retryAt: number | null }, result: ReportedResult): boolean {
  if (task.retryAt !== null) return false;
  if (result.attempt !== undefined && result.attempt !== task.attempt) return false;
  return result.lease === undefined || result.lease === task.lease;
}

/** The next attempt after a failure that may pass, waiting out its backoff. */
function retried<T extends SingleTask | Branch>(task: T, around: Surroundings): T {
  const failures = task.failures + 1;
  const retryAt = around.now + retryDelayMs(failures, () => around.random());
  return { ...task, failures, attempt: task.attempt + 1, lease: around.newLease(), dispatchedAt: retryAt, retryAt };
}

/**
 * A failure of the job's single task: retried while it may pass and attempts are left; else the blueprint's
 * `failure` transition (`timeout` first for a timeout), else the end the code asks for.
 */
export function failSingle(
  job: JobRecord,
  task: SingleTask,
  failure: Failure,
  workerId: string | null,
  around: Surroundings,
): Change {
  const told = record(job, attemptEnded(task, workerId, failure, around.now), around.now);
  const final = FINAL.get(failure.code);
  if (final === undefined && task.failures < around.settings.maxRetries) {
    return changed({ ...told, task: retried(task, around), error: failure.message });
  }
  const next =
    (failure.code === "TIMEOUT_ERROR" ? transitionFor(task, "timeout") : undefined) ?? transitionFor(task, "failure");
  if (next !== undefined) {
    const stateHistory = { ...job.stateHistory, task_error: { type: task.request.type, ...failure } };
    const moved = moveTo({ ...told, stateHistory }, next, around);
    return changed({ ...moved, error: moved.error ?? `${failure.code}: ${failure.message}` });
  }
  const error = final?.text(failure.message) ?? `Task failed after ${task.failures + 1} attempts: ${failure.message}`;
  return changed(endJob(told, { status: final?.status ?? "quarantined", error }, around.now));
}

/** Takes the result of the job's single task, at most once (spec §4, reference B.6). */
export function takeSingleResult(
  job: JobRecord,
  bp: CompleteBlueprint,
  result: ReportedResult,
  around: Surroundings,
): Taken {
  if (isEnded(job.status)) return ignored("job_already_terminated", `The job is ${job.status}.`);
  const { task } = job;
  if (task === null || task.id !== result.taskId || !isCurrent(task, result)) {
    return ignored("stale_task", "The job no longer waits for this attempt of the task.");
  }
  const { status, data } = result.outcome;
  if (status === "failure") {
    const change = failSingle(job, task, failureOf(result.outcome), result.workerId, around);
    return { ack: { status: "result_accepted_failure" }, change };
  }
  const told = record(job, attemptEnded(task, result.workerId, null, around.now), around.now);
  const next = transitionFor(task, status);
  if (status === "cancelled" && next === undefined) {
    const cancelled = endJob(told, { status: "cancelled", error: "The worker cancelled the task." }, around.now);
    return { ack: { status: "result_accepted_cancelled" }, change: changed(cancelled) };
  }
  const ack = { status: status === "cancelled" ? "result_accepted_cancelled" : "result_accepted_success" } as const;
  if (next === undefined) {
    const error = `Worker returned unhandled status: ${status}`;
    return { ack, change: changed(endJob(told, { status: "failed", error }, around.now)) };
  }
  try {
    const stateHistory = mergeStateHistory(job, bp, data);
    return { ack, change: changed(moveTo({ ...told, stateHistory }, next, around)) };
  } catch (error) {
    if (!(error instanceof StateHistoryError)) throw error;
    const failure = { code: "PERMANENT_ERROR", message: error.message };
    const change = failSingle(job, task, failure, result.workerId, around);
    return { ack: { status: "result_accepted_failure" }, change };
  }
}

/**
 * Ends a branch. The last one moves the job on to the aggregator; until then the branch's row says it all.
 * @param open branches without an outcome, this one included
 */
function endBranch(
  job: JobRecord,
  branch: Branch,
  open: number,
  outcome: { status: string; data: unknown; error: Failure | null; workerId: string | null },
  around: Surroundings,
): Change {
  const eventSeq = job.eventSeq + 1;
  const ended: Branch = { ...branch, retryAt: null, outcome: { ...outcome, endedAt: around.now, eventSeq } };
  const counted: JobRecord = { ...job, eventSeq };
  if (open > 1 || job.fanOut === null) return { record: counted, branches: [ended], writeRecord: false, offers: [] };
  return { record: moveTo(counted, job.fanOut.into, around), branches: [ended], writeRecord: true, offers: [] };
}

/** A failure of one branch: retried on its own counter, then one more result for the aggregator. */
export function failBranch(
  job: JobRecord,
  branch: Branch,
  open: number,
  failure: Failure,
  workerId: string | null,
  around: Surroundings,
): Change {
  if (!FINAL.has(failure.code) && branch.failures < around.settings.maxRetries) {
    const told = record(job, attemptEnded(branch, workerId, failure, around.now), around.now);
    return { record: told, branches: [retried(branch, around)], writeRecord: true, offers: [] };
  }
  return endBranch(job, branch, open, { status: "failure", data: null, error: failure, workerId }, around);
}

/** Takes the result of one branch of the fan-out, at most once. */
export function takeBranchResult(
  job: JobRecord,
  branch: Branch | null,
  open: number,
  result: ReportedResult,
  around: Surroundings,
): Taken {
  if (isEnded(job.status)) return ignored("job_already_terminated", `The job is ${job.status}.`);
  if (branch === null || branch.outcome !== null || !isCurrent(branch, result)) {
    return ignored("stale_task", "The job no longer waits for this attempt of the task.");
  }
  const ack = { status: "parallel_branch_result_accepted" } as const;
  const { status, data } = result.outcome;
  if (status === "failure") {
    const change = failBranch(job, branch, open, failureOf(result.outcome), result.workerId, around);
    return { ack, change };
  }
  const bytes = jsonBytes(data);
  if (bytes > MAX_INLINE_BYTES) {
    const message = `The result has data of ${bytes} bytes; ${MAX_INLINE_BYTES} are allowed. Return a reference instead of the content.`;
    return {
      ack,
      change: failBranch(job, branch, open, { code: "PERMANENT_ERROR", message }, result.workerId, around),
    };
  }
  const outcome = { status, data: data ?? null, error: null, workerId: result.workerId };
  return { ack, change: endBranch(job, branch, open, outcome, around) };
}
