import { MAX_LEASE_LOSSES } from "../limits.ts";
import { finishCancel } from "./cancel.ts";
import { clockOf } from "./clock.ts";
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
import { failBranch } from "./take-branch.ts";
import { failSingle } from "./take-result.ts";
import { isOut, nextAttempt, placed, type OpenBranches } from "./work.ts";

/**
 * Why an attempt came to nothing without a result. A hand-over that never happened (`returned`) is not held against
 * the task, nor is an operator's wish (`drained`) or ours (`stopped`); a worker that vanished with it, or an attempt nobody knows any more, is.
 */
export type LossReason = "worker_gone" | "returned" | "unknown" | "drained" | "stopped";

const BLAMELESS: ReadonlySet<LossReason> = new Set(["returned", "drained", "stopped"]);

interface Loss {
  readonly reason: LossReason;
  readonly detail: string | undefined;
}

const TEXT: Readonly<Record<LossReason, string>> = {
  worker_gone: "The worker is gone.",
  returned: "The worker's poll had ended before the task reached it.",
  drained: "The worker was drained, and its time to finish was over.",
  stopped: "The worker was told to stop, and does not have the task any more.",
  unknown: "The registry no longer knows the task.",
};

/** A new attempt of the same task at once: losing a worker is no fault of the task. A paused job keeps it for later. */
function offeredAnew<T extends SingleTask | Branch>(
  job: JobRecord,
  task: T,
  reason: LossReason,
  around: Surroundings,
): T {
  const losses = BLAMELESS.has(reason) ? task.losses : task.losses + 1;
  const next = { ...nextAttempt(task, clockOf(job, around), around), losses, retryAt: job.pause?.at ?? null };
  // In the same shard, a late offer of the attempt that was lost is known for an older one.
  return placed(job, next, around, { stays: true });
}

function lossEvent(task: Task, reason: LossReason, detail: string | undefined) {
  const error = detail === undefined ? TEXT[reason] : `${TEXT[reason]} ${detail}`;
  return { event_type: "task_lost", task_id: task.id, attempt_number: task.attempt, error } as const;
}

function tooOften(task: Task, reason: LossReason): { code: string; message: string } | null {
  if (BLAMELESS.has(reason) || task.losses < MAX_LEASE_LOSSES) return null;
  return {
    code: "PERMANENT_ERROR",
    message: `Task lost its worker ${task.losses + 1} times; it may be what stops them.`,
  };
}

function loseSingle(job: JobRecord, task: SingleTask, { reason, detail }: Loss, around: Surroundings): Change {
  const told = record(job, lossEvent(task, reason, detail), around.now);
  if (job.cancellation !== null) return changed(finishCancel(told, around));
  const poison = tooOften(task, reason);
  if (poison !== null) return failSingle(told, task, poison, null, around);
  const next = offeredAnew(job, task, reason, around);
  return changed({ ...told, task: next }, { offers: isOut(next) ? [next] : [] });
}

function loseBranch(
  job: JobRecord,
  branch: Branch,
  open: OpenBranches,
  { reason, detail }: Loss,
  around: Surroundings,
): Change {
  if (job.cancellation !== null) {
    // The branch of a cancelled job ends with its attempt: one end is told, not two.
    const cancelled = { code: "CANCELLED", message: TEXT[reason] };
    return { ...failBranch(job, branch, open, cancelled, null, around), writeRecord: true };
  }
  const told = record(job, lossEvent(branch, reason, detail), around.now);
  const poison = tooOften(branch, reason);
  if (poison !== null) return { ...failBranch(told, branch, open, poison, null, around), writeRecord: true };
  const next = offeredAnew(job, branch, reason, around);
  return { record: told, branches: [next], writeRecord: true, offers: isOut(next) ? [next] : [], releases: [] };
}

/**
 * The worker of an attempt is gone, or nobody knows the attempt any more: it is offered anew.
 * @param attempt the attempt that was lost; one that is not out changes nothing
 * @param detail what else there is to say of the reason
 * @returns null when nothing changes
 */
export function loseTask(
  job: JobRecord,
  open: OpenBranches,
  taskId: string,
  attempt: number,
  reason: LossReason,
  around: Surroundings,
  detail?: string,
): Change | null {
  const task = job.task?.id === taskId ? job.task : (open.get(taskId) ?? null);
  if (task === null || task.attempt !== attempt || !isOut(task)) return null;
  const loss = { reason, detail };
  return "transitions" in task ? loseSingle(job, task, loss, around) : loseBranch(job, task, open, loss, around);
}
