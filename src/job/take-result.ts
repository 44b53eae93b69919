import type { ResultAck, TaskOutcome } from "@batuta/worker/protocol";
import type { CompleteBlueprint } from "../blueprint/index.ts";
import { finishCancel } from "./cancel.ts";
import { endJob } from "./ending.ts";
import { attemptEnded, record, STOPPED } from "./events.ts";
import { endFor, failureOf, isSpent, retried } from "./failure.ts";
import { FilesError, readFiles, withFiles } from "./files.ts";
import { moveTo, targetOf } from "./move.ts";
import {
  changed,
  type Branch,
  type Change,
  type Failure,
  type JobRecord,
  type SingleTask,
  type Surroundings,
} from "./record.ts";
import { mergeStateHistory, StateHistoryError } from "./state-history.ts";
import { isEnded } from "./status.ts";
import { isOut } from "./work.ts";

/** A result as it reaches the job. Workers of Avtomatika know neither attempt nor lease. */
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

/** A result that comes too late, from the wrong attempt, or for something else; null for one that counts. */
export function whyIgnored(job: JobRecord, task: SingleTask | Branch | null, result: ReportedResult): Taken | null {
  if (isEnded(job.status)) return ignored("job_already_terminated", `The job is ${job.status}.`);
  const current =
    task !== null &&
    task.id === result.taskId &&
    task.child === null &&
    isOut(task) &&
    (result.attempt ?? task.attempt) === task.attempt &&
    (result.lease ?? task.lease) === task.lease;
  return current ? null : ignored("stale_task", "The job no longer waits for this attempt of the task.");
}

/**
 * A failure of the job's single task: retried while it may pass and attempts are left; else the blueprint's
 * `failure` transition (`timeout` first for a timeout), else the end the code asks for.
 * @param word what became of a child job, when the blueprint may have a state for just that
 */
export function failSingle(
  job: JobRecord,
  task: SingleTask,
  failure: Failure,
  workerId: string | null,
  around: Surroundings,
  word: string = failure.code === "TIMEOUT_ERROR" ? "timeout" : "failure",
): Change {
  const told = record(job, attemptEnded(task, workerId, failure, around.now), around.now);
  if (job.cancellation !== null) return changed(finishCancel(told, around));
  if (!isSpent(task, failure, around)) {
    return changed({ ...told, task: retried(job, task, around), error: failure.message });
  }
  const next = targetOf(task.transitions, word, "failure");
  if (next === undefined) return changed(endJob(told, endFor(task, failure), around.now));
  const stateHistory = { ...told.stateHistory, task_error: { type: task.request.type, ...failure } };
  const moved = moveTo({ ...told, stateHistory }, next, around);
  return changed({ ...moved, error: moved.error ?? `${failure.code}: ${failure.message}` });
}

/** Takes the result of the job's single task, at most once (spec §4, reference B.6). */
export function takeSingleResult(
  job: JobRecord,
  bp: CompleteBlueprint,
  result: ReportedResult,
  around: Surroundings,
): Taken {
  const { task } = job;
  const late = whyIgnored(job, task, result);
  if (late !== null || task === null) return late ?? ignored("stale_task", "The job has no task.");
  const { status, data, data_metadata: metadata = null } = result.outcome;
  const mark = job.cancellation !== null || status === "cancelled" ? STOPPED : {};
  const told = record(job, { ...attemptEnded(task, result.workerId, null, around.now), ...mark }, around.now);
  if (job.cancellation !== null) {
    return { ack: { status: "result_accepted_cancelled" }, change: changed(finishCancel(told, around)) };
  }
  if (status === "failure") {
    const change = failSingle(job, task, failureOf(result.outcome, around.now), result.workerId, around);
    return { ack: { status: "result_accepted_failure" }, change };
  }
  const next = targetOf(task.transitions, status);
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
    const files = readFiles(metadata, data, "the result");
    const stateHistory = mergeStateHistory(job, bp, data);
    const knowing = withFiles({ ...told, stateHistory }, files, around.now);
    return { ack, change: changed(moveTo(knowing, next, around)) };
  } catch (error) {
    if (!(error instanceof StateHistoryError || error instanceof FilesError)) throw error;
    const failure = { code: "PERMANENT_ERROR", message: error.message };
    const change = failSingle(job, task, failure, result.workerId, around);
    return { ack: { status: "result_accepted_failure" }, change };
  }
}
