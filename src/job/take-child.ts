import type { CompleteBlueprint } from "../blueprint/index.ts";
import { finishCancel } from "./cancel.ts";
import { record } from "./events.ts";
import { FilesError, withFiles } from "./files.ts";
import { moveTo, targetOf } from "./move.ts";
import {
  changed,
  type Change,
  type ChildOutcome,
  type Failure,
  type JobRecord,
  type SingleTask,
  type Surroundings,
} from "./record.ts";
import { mergeStateHistory, StateHistoryError } from "./state-history.ts";
import { endChildBranch } from "./take-branch.ts";
import { failSingle } from "./take-result.ts";
import { isEnded } from "./status.ts";
import { isOut, type OpenBranches } from "./work.ts";

const WORD = { finished: "success", failed: "failure", quarantined: "quarantined", cancelled: "cancelled" } as const;

function failureOfChild(childId: string, outcome: ChildOutcome): Failure | null {
  if (outcome.status === "finished") return null;
  const why = outcome.error === null ? "" : `: ${outcome.error}`;
  return { code: `CHILD_${outcome.status.toUpperCase()}`, message: `Child job ${childId} is ${outcome.status}${why}` };
}

function resumeSingle(
  job: JobRecord,
  bp: CompleteBlueprint,
  task: SingleTask,
  outcome: ChildOutcome,
  around: Surroundings,
): Change {
  const word = WORD[outcome.status];
  const failure = failureOfChild(task.id, outcome);
  const told = record(
    job,
    {
      event_type: "sub_blueprint_finished",
      task_id: task.id,
      duration_ms: around.now - task.dispatchedAt,
      ...(failure === null ? {} : { error: failure.message }),
    },
    around.now,
  );
  if (job.cancellation !== null) return changed(finishCancel(told, around));
  const { status, state, result, error } = outcome;
  const entry = {
    outcome: status === "finished" ? "success" : "failure",
    status,
    final_state: state,
    error_message: error,
    result: result ?? null,
  };
  let known: JobRecord;
  try {
    const stateHistory = mergeStateHistory(job, bp, task.into === null ? {} : { [task.into]: entry });
    known = withFiles({ ...told, stateHistory }, outcome.files, around.now);
  } catch (thrown) {
    if (!(thrown instanceof StateHistoryError || thrown instanceof FilesError)) throw thrown;
    return failSingle(told, task, { code: "PERMANENT_ERROR", message: thrown.message }, null, around);
  }
  if (failure !== null) return failSingle(known, task, failure, null, around, word);
  const next = targetOf(task.transitions, word);
  if (next !== undefined) return changed(moveTo(known, next, around));
  const unhandled = {
    code: "CHILD_FINISHED",
    message: `Child job ${task.id} finished, but 'success' has no transition.`,
  };
  return failSingle(known, task, unhandled, null, around, "success");
}

/**
 * A child job has ended: the parent goes on, exactly once for every way a child can end. A child the job does not
 * wait for (any more) changes nothing.
 * @returns null when nothing changes
 */
export function takeChildOutcome(
  job: JobRecord,
  bp: CompleteBlueprint,
  open: OpenBranches,
  childId: string,
  outcome: ChildOutcome,
  around: Surroundings,
): Change | null {
  if (isEnded(job.status)) return null;
  if (job.task?.id === childId && job.task.child !== null && isOut(job.task)) {
    return resumeSingle(job, bp, job.task, outcome, around);
  }
  const branch = open.get(childId);
  if (branch === undefined || branch.child === null || !isOut(branch)) return null;
  const error = failureOfChild(childId, outcome);
  const status = outcome.status === "quarantined" ? "failure" : WORD[outcome.status];
  const { files } = outcome;
  const ended = { status, data: outcome.result ?? null, error, ...(files !== undefined && { files }) };
  return endChildBranch(job, branch, open, ended, around);
}
