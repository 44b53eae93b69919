import { MAX_LEASE_LOSSES } from "../limits.ts";
import { record } from "./events.ts";
import {
  changed,
  type Branch,
  type Change,
  type JobRecord,
  type SingleTask,
  type Surroundings,
  type Task,
} from "./record.ts";
import { failBranch, failSingle } from "./take-result.ts";

/**
 * Why an attempt came to nothing without a result. A hand-over that never happened (`returned`) is not held against
 * the task; a worker that vanished with it, or an attempt nobody knows any more, is.
 */
export type LossReason = "worker_gone" | "returned" | "unknown";

const TEXT: Readonly<Record<LossReason, string>> = {
  worker_gone: "The worker is gone.",
  returned: "The worker's poll had ended before the task reached it.",
  unknown: "The registry no longer knows the task.",
};

/** A new attempt of the same task at once: losing a worker is no fault of the task. */
function offeredAnew<T extends Task>(task: T, reason: LossReason, around: Surroundings): T {
  const losses = reason === "returned" ? task.losses : task.losses + 1;
  return {
    ...task,
    losses,
    attempt: task.attempt + 1,
    lease: around.newLease(),
    dispatchedAt: around.now,
    retryAt: null,
  };
}

function lossEvent(task: Task, reason: LossReason) {
  return { event_type: "task_lost", task_id: task.id, attempt_number: task.attempt, error: TEXT[reason] } as const;
}

function tooOften(task: Task, reason: LossReason): { code: string; message: string } | null {
  if (reason === "returned" || task.losses < MAX_LEASE_LOSSES) return null;
  return {
    code: "PERMANENT_ERROR",
    message: `Task lost its worker ${task.losses + 1} times; it may be what stops them.`,
  };
}

/**
 * The worker of the single task is gone, or nobody knows the task any more: offers a new attempt.
 * @param attempt the attempt that was lost; an older one changes nothing
 */
export function loseSingle(
  job: JobRecord,
  taskId: string,
  attempt: number,
  reason: LossReason,
  around: Surroundings,
): Change | null {
  const { task } = job;
  if (task === null || task.id !== taskId || task.attempt !== attempt || task.retryAt !== null) return null;
  const told = record(job, lossEvent(task, reason), around.now);
  const poison = tooOften(task, reason);
  if (poison !== null) return failSingle(told, task, poison, null, around);
  const next: SingleTask = offeredAnew(task, reason, around);
  return changed({ ...told, task: next }, [next]);
}

/** The same for a branch of the fan-out. */
export function loseBranch(
  job: JobRecord,
  branch: Branch,
  open: number,
  attempt: number,
  reason: LossReason,
  around: Surroundings,
): Change | null {
  if (branch.outcome !== null || branch.attempt !== attempt || branch.retryAt !== null) return null;
  const told = record(job, lossEvent(branch, reason), around.now);
  const poison = tooOften(branch, reason);
  if (poison !== null) {
    return { ...failBranch(told, branch, open, poison, null, around), writeRecord: true };
  }
  const next = offeredAnew(branch, reason, around);
  return { record: told, branches: [next], writeRecord: true, offers: [next] };
}
