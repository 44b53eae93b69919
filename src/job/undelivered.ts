import { MAX_ERROR_CHARS } from "../limits.ts";
import { finishCancel } from "./cancel.ts";
import { endJob } from "./ending.ts";
import { attemptEnded, record } from "./events.ts";
import { DISPATCH_ERROR, endFor } from "./failure.ts";
import { changed, type Change, type Failure, type JobRecord, type SingleTask, type Surroundings } from "./record.ts";
import { failBranch } from "./take-branch.ts";
import { isOut, letGo, type OpenBranches } from "./work.ts";

/**
 * A job's single task that no worker could be offered. It is no failure of the task, so the blueprint's `failure`
 * transition is not for it: a person looks at the job, and retries it when the registry is well again.
 */
function quarantine(job: JobRecord, task: SingleTask, failure: Failure, around: Surroundings): Change {
  const told = record(job, attemptEnded(task, null, failure, around.now), around.now);
  if (job.cancellation !== null) return changed(finishCancel(told, around));
  return changed(endJob(told, endFor(task, failure), around.now));
}

/** An attempt of a task, as it was offered to a shard. */
export interface OfferedAttempt {
  readonly taskId: string;
  readonly attempt: number;
  readonly shard: string;
}

/**
 * An attempt whose offer could not be brought to the registry, in all its tries. The job goes to quarantine; a branch
 * has failed for good, and its fan-out goes on by its own rules. Should the registry have it after all, it is told that
 * the attempt is not wanted.
 * @param offered the attempt, and the shard it was to come to; one that is not out, or is in another shard by now, changes
 * nothing
 * @returns null when nothing changes
 */
export function failUndelivered(
  job: JobRecord,
  open: OpenBranches,
  { taskId, attempt, shard }: OfferedAttempt,
  reason: string,
  around: Surroundings,
): Change | null {
  const task = job.task?.id === taskId ? job.task : (open.get(taskId) ?? null);
  if (task === null || task.attempt !== attempt || task.shard !== shard || !isOut(task)) return null;
  const failure = { code: DISPATCH_ERROR, message: reason.slice(0, MAX_ERROR_CHARS) };
  const change =
    "transitions" in task ? quarantine(job, task, failure, around) : failBranch(job, task, open, failure, null, around);
  const { releases } = letGo([task]);
  return { ...change, writeRecord: true, releases: [...change.releases, ...releases] };
}
