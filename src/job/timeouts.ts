import type { CompleteBlueprint } from "../blueprint/index.ts";
import { finishCancel } from "./cancel.ts";
import { endJob } from "./ending.ts";
import { record } from "./events.ts";
import { moveTo, targetOf } from "./move.ts";
import { changed, type Change, type JobRecord, type Surroundings } from "./record.ts";
import { failBranch } from "./take-branch.ts";
import { failSingle } from "./take-result.ts";
import { isOut, letGo, outstanding, placed, sentOut, type OpenBranches } from "./work.ts";
import type { EventWait, HumanWait, Wait } from "./wait.ts";

/** The time limits of work: each says in its error which one it was. */
const LIMITS = {
  execution: (seconds: number) => `Worker task timed out. It ran longer than ${seconds} s.`,
  dispatch: (seconds: number) =>
    `Worker task timed out while waiting in queue (dispatch timeout): no worker took it within ${seconds} s.`,
  result: (seconds: number) => `Worker task timed out: there was no result within ${seconds} s (result deadline).`,
  child: (seconds: number) => `Child job timed out: it did not end within ${seconds} s.`,
} as const;

/**
 * Ends an attempt that is over one of its limits; the blueprint's `timeout` transition says what follows.
 * @returns null when the attempt is not out any more
 */
export function timeOutTask(
  job: JobRecord,
  open: OpenBranches,
  taskId: string,
  attempt: number,
  limit: keyof typeof LIMITS,
  seconds: number,
  around: Surroundings,
): Change | null {
  const task = job.task?.id === taskId ? job.task : (open.get(taskId) ?? null);
  if (task === null || task.attempt !== attempt) return null;
  const failure = { code: "TIMEOUT_ERROR", message: LIMITS[limit](seconds) };
  const { notices, releases } = letGo(isOut(task) ? [task] : []);
  const known = { ...job, notices: [...job.notices, ...notices] };
  const change =
    "transitions" in task
      ? failSingle(known, task, failure, null, around)
      : failBranch(known, task, open, failure, null, around);
  return { ...change, writeRecord: true, releases: [...change.releases, ...releases] };
}

const WAIT_TEXT = {
  human: (wait: HumanWait, seconds: number) =>
    `Human approval timed out: nobody decided within ${seconds} s. (${wait.message})`,
  event: (wait: EventWait, seconds: number) => `Waiting for event '${wait.event}' timed out after ${seconds} s.`,
};

function endWait(job: JobRecord, wait: Wait, around: Surroundings): JobRecord {
  if (wait.kind === "timer") return moveTo(job, wait.transitions["done"] ?? job.state, around);
  const seconds = Math.round(((wait.until ?? around.now) - wait.since) / 1000);
  const error = wait.kind === "human" ? WAIT_TEXT.human(wait, seconds) : WAIT_TEXT.event(wait, seconds);
  const told = record(job, { event_type: "timed_out", error }, around.now);
  const next = targetOf(wait.transitions, "timeout");
  if (next === undefined) return endJob(told, { status: "failed", error }, around.now);
  const moved = moveTo(told, next, around);
  return { ...moved, error: moved.error ?? error };
}

/** The whole job is over its time: it goes where its blueprint says, or ends as failed. */
function timeOutJob(job: JobRecord, bp: CompleteBlueprint | null, open: OpenBranches, around: Surroundings): Change {
  const seconds = Math.round(((job.deadlineAt ?? around.now) - job.createdAt) / 1000);
  const error = `Job timed out: it did not end within ${seconds} s.`;
  const { notices, releases } = letGo(outstanding(job, open));
  const told = record(
    { ...job, deadlineAt: null, notices: [...job.notices, ...notices] },
    { event_type: "timed_out", error },
    around.now,
  );
  const to = bp?.timeout?.to;
  if (to === undefined) return changed(endJob(told, { status: "failed", error }, around.now), { releases });
  const moved = moveTo(told, to, around);
  return changed({ ...moved, error: moved.error ?? error }, { releases });
}

function isDue(at: number | null, now: number): boolean {
  return at !== null && at <= now;
}

function overdueResult(job: JobRecord, open: OpenBranches, around: Surroundings): Change | null {
  for (const task of job.task === null ? open.values() : [job.task]) {
    if (!isDue(task.resultBy, around.now)) continue;
    const { resultTimeoutSeconds = 0 } = task.request;
    const limit = task.child === null ? "result" : "child";
    return timeOutTask(job, open, task.id, task.attempt, limit, resultTimeoutSeconds, around);
  }
  return null;
}

function dueRetries(job: JobRecord, open: OpenBranches, around: Surroundings): Change | null {
  const { task } = job;
  if (task !== null && isDue(task.retryAt, around.now)) {
    const next = placed(job, sentOut(task, around.now), around);
    return changed({ ...job, task: next }, { offers: [next] });
  }
  const next = [...open.values()]
    .filter((branch) => isDue(branch.retryAt, around.now))
    .map((branch) => placed(job, sentOut(branch, around.now), around));
  return next.length === 0 ? null : { record: job, branches: next, writeRecord: false, offers: next, releases: [] };
}

/**
 * The most urgent thing that time alone brings to a job by now. Called again until it answers null; what needs the
 * registry's word (attempts that run too long, wait too long or are not known any more) is not among it.
 * @param bp null when the blueprint is not deployed any more
 */
export function dueChange(
  job: JobRecord,
  bp: CompleteBlueprint | null,
  open: OpenBranches,
  around: Surroundings,
): Change | null {
  if (job.cancellation !== null) {
    if (!isDue(job.cancellation.until, around.now)) return null;
    // Once more: the first word of it may have been lost with this object's life.
    const { releases } = letGo(outstanding(job, open));
    return changed(finishCancel(job, around), { releases });
  }
  if (job.pause !== null) return null;
  if (isDue(job.deadlineAt, around.now)) return timeOutJob(job, bp, open, around);
  if (job.wait !== null && isDue(job.wait.until, around.now)) return changed(endWait(job, job.wait, around));
  const overdue = overdueResult(job, open, around);
  if (overdue !== null) return overdue;
  const retries = dueRetries(job, open, around);
  if (retries !== null) return retries;
  return isDue(job.wakeAt, around.now) ? changed({ ...job, status: "running" }) : null;
}
