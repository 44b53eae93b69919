import { later } from "./clock.ts";
import { endJob } from "./ending.ts";
import { record } from "./events.ts";
import { moveTo, targetOf } from "./move.ts";
import { changed, type Change, type JobRecord, type Surroundings } from "./record.ts";
import { letGo, outstanding, type OpenBranches } from "./work.ts";

/** The state that cleans up after what the job waits for; a clean-up that is cancelled has none of its own. */
function cleanUpState(job: JobRecord): string | undefined {
  if (job.cleanUpFor !== null) return undefined;
  return targetOf(job.task?.transitions ?? job.wait?.transitions ?? {}, "cancelled");
}

/** A cancel ends a pause: a clean-up has the time that was left when the job was paused. */
function unpaused(job: JobRecord, { now }: Surroundings): JobRecord {
  const { pause, deadlineAt } = job;
  if (pause === null) return job;
  return { ...job, pause: null, deadlineAt: later(deadlineAt, now - pause.at) };
}

/** Ends a cancelled job, by way of its clean-up state when it has one. */
export function finishCancel(job: JobRecord, around: Surroundings, error = job.cancellation?.error ?? ""): JobRecord {
  const cleanUp = cleanUpState(job);
  const over = { ...unpaused(job, around), cancellation: null };
  if (cleanUp === undefined) return endJob({ ...over, fanOut: null }, { status: "cancelled", error }, around.now);
  return moveTo({ ...over, cleanUpFor: error }, cleanUp, around);
}

/**
 * Cancels a live job. What is out is called back at once; while a worker or a child may still answer, the job waits
 * for that a grace long, and starts nothing. A second cancel does not wait.
 */
export function cancelJob(job: JobRecord, open: OpenBranches, error: string, around: Surroundings): Change {
  const told = record(job, { event_type: "cancel_requested", error }, around.now);
  const out = outstanding(job, open);
  if (job.cancellation !== null || out.length === 0) return changed(finishCancel(told, around, error));
  const { notices, releases } = letGo(out);
  const until = around.now + around.settings.cancelGraceMs;
  const cancelling = {
    ...unpaused(told, around),
    cancellation: { until, error, waitsFor: null },
    wakeAt: null,
    checkAt: null,
    notices: [...told.notices, ...notices],
  };
  return changed(cancelling, { releases });
}

/**
 * It is known now which attempts somebody still holds; when nobody does, the cancelled job ends.
 * @param held task ids that workers hold, or that are child jobs
 */
export function narrowCancel(job: JobRecord, held: readonly string[], around: Surroundings): JobRecord {
  if (job.cancellation === null) return job;
  if (held.length === 0) return finishCancel(job, around);
  return { ...job, cancellation: { ...job.cancellation, waitsFor: held } };
}
