import { z } from "zod";
import { taskRequest } from "../blueprint/actions.ts";
import type { Action, CompleteBlueprint, TaskRequest } from "../blueprint/index.ts";
import { MAX_BRANCHES, MAX_INLINE_BYTES } from "../limits.ts";
import { record } from "./events.ts";
import { endJob } from "./ending.ts";
import {
  changed,
  type Branch,
  type Change,
  type JobRecord,
  type SingleTask,
  type Surroundings,
  type Task,
} from "./record.ts";
import { jsonBytes, mergeStateHistory } from "./state-history.ts";

/** A handler decided something that cannot be done; the text names blueprint and state. */
export class StepError extends Error {
  override readonly name = "StepError";
}

function newTask(job: JobRecord, request: TaskRequest, number: number, around: Surroundings): Task {
  const checked = taskRequest.safeParse(request);
  if (!checked.success) {
    throw new StepError(`State '${job.state}' dispatches a task that is not valid: ${z.prettifyError(checked.error)}`);
  }
  const bytes = jsonBytes(request.params ?? null);
  if (bytes > MAX_INLINE_BYTES) {
    throw new StepError(
      `Task '${request.type}' of state '${job.state}' has params of ${bytes} bytes; ${MAX_INLINE_BYTES} are allowed. Pass a reference instead of the content.`,
    );
  }
  return {
    id: `${job.id}-${number}`,
    request,
    attempt: 1,
    lease: around.newLease(),
    failures: 0,
    losses: 0,
    dispatchedAt: around.now,
    retryAt: null,
  };
}

function requireState(job: JobRecord, bp: CompleteBlueprint, target: string, fanIn = false): void {
  const step = bp.steps.get(target);
  if (step === undefined) {
    throw new StepError(
      `Blueprint '${bp.name}' has a dangling transition: state '${job.state}' leads to non-existent state '${target}'.`,
    );
  }
  if ((step.kind === "aggregator") === fanIn) return;
  throw new StepError(
    fanIn
      ? `Blueprint '${bp.name}': state '${job.state}' aggregates into '${target}', which has no aggregator. Register it with .aggregator.`
      : `Blueprint '${bp.name}': state '${job.state}' leads to '${target}', an aggregator; only dispatchParallel leads there.`,
  );
}

function leaveState(job: JobRecord, to: string, now: number): JobRecord {
  const left = record(
    job,
    { event_type: "state_finished", previous_state: job.state, next_state: to, duration_ms: now - job.stateSince },
    now,
  );
  return { ...left, state: to, stateSince: now, handlerFailures: 0, error: null };
}

/** Moves a running or waiting job on to a state whose step is still to run. */
export function moveTo(job: JobRecord, to: string, around: Surroundings): JobRecord {
  const moved = leaveState(job, to, around.now);
  const next: JobRecord = {
    ...moved,
    status: "running",
    task: null,
    wakeAt: around.now,
    checkAt: null,
    progress: null,
    progressMessage: null,
    transitions: job.transitions + 1,
  };
  if (next.transitions <= around.settings.maxTransitions) return next;
  const error = `Blueprint execution exceeded maximum transitions (${around.settings.maxTransitions}). Suspected infinite loop detected.`;
  return endJob(next, { status: "failed", error }, around.now);
}

function dispatchOne(
  job: JobRecord,
  request: TaskRequest,
  transitions: Readonly<Record<string, string>>,
  around: Surroundings,
): Change {
  const task: SingleTask = { ...newTask(job, request, job.nextTask, around), transitions };
  const waiting: JobRecord = {
    ...job,
    status: "waiting_for_worker",
    task,
    nextTask: job.nextTask + 1,
    transitions: 0,
    wakeAt: null,
    checkAt: around.now + around.settings.leaseMs,
  };
  const event = { event_type: "task_dispatched", task_id: task.id, attempt_number: 1 } as const;
  return changed(record(waiting, event, around.now), [task]);
}

function dispatchMany(job: JobRecord, requests: readonly TaskRequest[], into: string, around: Surroundings): Change {
  if (requests.length > MAX_BRANCHES) {
    throw new StepError(
      `State '${job.state}' asks for ${requests.length} parallel tasks; ${MAX_BRANCHES} are allowed. Give each task a group of the work instead.`,
    );
  }
  const fanOut = { into, first: job.nextTask, total: requests.length };
  if (requests.length === 0) return changed(moveTo({ ...job, fanOut }, into, around));
  const branches: Branch[] = requests.map((request, index) => ({
    ...newTask(job, request, job.nextTask + index, around),
    number: job.nextTask + index,
    outcome: null,
  }));
  const waiting: JobRecord = {
    ...job,
    status: "waiting_for_parallel_tasks",
    fanOut,
    nextTask: job.nextTask + branches.length,
    transitions: 0,
    wakeAt: null,
    checkAt: around.now + around.settings.leaseMs,
  };
  return {
    record: record(waiting, { event_type: "parallel_dispatched", next_state: into }, around.now),
    branches,
    writeRecord: true,
    offers: branches,
  };
}

/**
 * What a handler's action makes of a running job (spec §2 and §4). Pure.
 * @throws {StepError} when the action names an unknown state or is over a limit: a handler failure
 */
export function applyAction(job: JobRecord, bp: CompleteBlueprint, action: Action, around: Surroundings): Change {
  const patched = { ...job, fanOut: null, stateHistory: mergeStateHistory(job, bp, action.stateHistory) };
  switch (action.kind) {
    case "transition":
      requireState(job, bp, action.to);
      return changed(moveTo(patched, action.to, around));
    case "dispatch_task":
      for (const state of Object.values(action.transitions)) requireState(job, bp, state);
      return dispatchOne(patched, action.task, action.transitions, around);
    case "dispatch_parallel":
      requireState(job, bp, action.aggregateInto, true);
      return dispatchMany(patched, action.tasks, action.aggregateInto, around);
  }
}
