import type { Action, CompleteBlueprint } from "../blueprint/index.ts";
import { beginWait } from "./begin-wait.ts";
import { dispatchChild, dispatchTask, fanOut } from "./dispatch-work.ts";
import { moveTo, requireState } from "./move.ts";
import { changed, type Change, type JobRecord, type Surroundings } from "./record.ts";
import { mergeStateHistory } from "./state-history.ts";
import { newChild, newTask } from "./work.ts";

/**
 * What a handler's action makes of a running job (spec §2 and §4). Pure.
 * @throws {StepError} when the action names an unknown state, is not valid or is over a limit: a handler failure
 */
export function applyAction(job: JobRecord, bp: CompleteBlueprint, action: Action, around: Surroundings): Change {
  const patched = { ...job, fanOut: null, stateHistory: mergeStateHistory(job, bp, action.stateHistory) };
  const requireAll = (...transitions: readonly Readonly<Record<string, string>>[]) => {
    for (const state of transitions.flatMap((each) => Object.values(each))) requireState(job, bp, state);
  };
  switch (action.kind) {
    case "transition":
      requireState(job, bp, action.to);
      return changed(moveTo(patched, action.to, around));
    case "dispatch_task":
      requireAll(action.transitions, action.eventTransitions);
      return dispatchTask(patched, bp, action, around);
    case "run_blueprint":
      requireAll(action.transitions);
      return dispatchChild(patched, action, around);
    case "dispatch_parallel":
      requireState(job, bp, action.aggregateInto, true);
      return fanOut(
        patched,
        action.tasks,
        action,
        (task, number) => newTask(patched, bp, task, number, around),
        around,
      );
    case "run_parallel":
      requireState(job, bp, action.aggregateInto, true);
      return fanOut(
        patched,
        action.children,
        action,
        (child, number) => newChild(patched, child, number, around),
        around,
      );
    case "await_approval":
    case "wait_for":
      requireAll(action.transitions);
      return beginWait(patched, bp, action, around);
    case "sleep":
      requireState(job, bp, action.to);
      return beginWait(patched, bp, action, around);
  }
}
