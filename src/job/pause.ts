import { later } from "./clock.ts";
import { record } from "./events.ts";
import { beginQueued } from "./take-branch.ts";
import {
  changed,
  type Branch,
  type Change,
  type JobRecord,
  type SingleTask,
  type Surroundings,
  type Task,
} from "./record.ts";
import { isOut, nextAttempt, type OpenBranches } from "./work.ts";

/** Holds a job still: no step begins, no timer runs. What workers have they may finish; the job goes on from it when it is resumed. */
export function pauseJob(job: JobRecord, by: string, reason: string, around: Surroundings): JobRecord {
  const paused: JobRecord = { ...job, pause: { at: around.now, by, reason } };
  return record(paused, { event_type: "job_paused", context_snapshot: { by, reason } }, around.now);
}

/**
 * These attempts were taken back before a worker had them; they go out again when the job is resumed.
 * @returns null when none of them is out any more
 */
export function holdBack(
  job: JobRecord,
  open: OpenBranches,
  taskIds: readonly string[],
  around: Surroundings,
): Change | null {
  if (job.pause === null) return null;
  const { at } = job.pause;
  const held = <T extends Task>(task: T): T => ({ ...nextAttempt(task, at, around), retryAt: at });
  if (job.task !== null) {
    return taskIds.includes(job.task.id) && isOut(job.task) ? changed({ ...job, task: held(job.task) }) : null;
  }
  const branches = taskIds.flatMap((id) => {
    const branch = open.get(id);
    return branch !== undefined && isOut(branch) ? [held(branch)] : [];
  });
  if (branches.length === 0) return null;
  return { record: job, branches, writeRecord: false, offers: [], releases: [] };
}

function shifted<T extends SingleTask | Branch>(task: T, by: number): T {
  const { retryAt, dispatchBy, resultBy } = task;
  if (retryAt === null && dispatchBy === null && resultBy === null) return task;
  return { ...task, retryAt: later(retryAt, by), dispatchBy: later(dispatchBy, by), resultBy: later(resultBy, by) };
}

/** Lets a paused job go on. All its timers are as far away as they were when it was paused. */
export function resumeJob(
  job: JobRecord,
  open: OpenBranches,
  by: string,
  reason: string,
  around: Surroundings,
): Change {
  const { pause, wait } = job;
  if (pause === null) return changed(job);
  const away = around.now - pause.at;
  const told = record(
    {
      ...job,
      pause: null,
      task: job.task === null ? null : shifted(job.task, away),
      wait: wait === null || wait.until === null ? wait : { ...wait, until: wait.until + away },
      deadlineAt: later(job.deadlineAt, away),
      wakeAt: job.status === "running" ? around.now : later(job.wakeAt, away),
      checkAt: job.checkAt === null ? null : around.now + around.settings.leaseMs,
    },
    { event_type: "job_resumed", duration_ms: away, context_snapshot: { by, reason } },
    around.now,
  );
  const places = placesFree(job, open);
  const begun = places === 0 ? [] : beginQueued(job, open, places, around);
  const begunIds = new Set(begun.map((branch) => branch.id));
  const moved = [...open.values()]
    .filter((branch) => !begunIds.has(branch.id))
    .map((branch) => ({ before: branch, after: shifted(branch, away) }))
    .flatMap(({ before, after }) => (after === before ? [] : [after]));
  return { record: told, branches: [...begun, ...moved], writeRecord: true, offers: begun, releases: [] };
}

function placesFree({ fanOut }: JobRecord, open: OpenBranches): number {
  if (fanOut === null || fanOut.maxConcurrent === null) return 0;
  return fanOut.maxConcurrent - [...open.values()].filter((branch) => !branch.queued).length;
}
