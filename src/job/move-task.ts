import { changed, type Branch, type Change, type JobRecord, type SingleTask, type Surroundings } from "./record.ts";
import { isOut, nextAttempt, type OpenBranches } from "./work.ts";

/** A new attempt in another shard, which has waited as long as the one before: its place in the line and its limits are the same. */
function inShard<T extends SingleTask | Branch>(task: T, shard: string, around: Surroundings): T {
  const { dispatchedAt, dispatchBy } = task;
  return { ...nextAttempt(task, dispatchedAt, around), dispatchedAt, dispatchBy, shard };
}

/**
 * Waiting attempts were taken back from their shards, to be offered to others.
 * @param moves the new shard of each, by task id
 * @returns null when none of them is out any more
 */
export function spillTasks(
  job: JobRecord,
  open: OpenBranches,
  moves: ReadonlyMap<string, string>,
  around: Surroundings,
): Change | null {
  const { task } = job;
  if (task !== null) {
    const shard = moves.get(task.id);
    if (shard === undefined || !isOut(task)) return null;
    const next = inShard(task, shard, around);
    return changed({ ...job, task: next }, { offers: [next] });
  }
  const branches = [...moves].flatMap(([id, shard]) => {
    const branch = open.get(id);
    return branch === undefined || !isOut(branch) ? [] : [inShard(branch, shard, around)];
  });
  if (branches.length === 0) return null;
  return { record: job, branches, writeRecord: false, offers: branches, releases: [] };
}

/**
 * The worker that has an attempt is with another shard now, and the attempt with it.
 * @returns null when nothing changes
 */
export function noteShard(
  job: JobRecord,
  open: OpenBranches,
  taskId: string,
  attempt: number,
  shard: string,
): Change | null {
  const task = job.task?.id === taskId ? job.task : (open.get(taskId) ?? null);
  if (task === null || task.attempt !== attempt || task.shard === shard || !isOut(task)) return null;
  if ("transitions" in task) return changed({ ...job, task: { ...task, shard } });
  return { record: job, branches: [{ ...task, shard }], writeRecord: false, offers: [], releases: [] };
}
