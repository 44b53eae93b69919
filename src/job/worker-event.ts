import type { CompleteBlueprint } from "../blueprint/index.ts";
import { record } from "./events.ts";
import { moveTo, targetOf } from "./move.ts";
import { changed, type Change, type JobRecord, type Surroundings } from "./record.ts";
import { mergeStateHistory } from "./state-history.ts";
import { isEnded } from "./status.ts";
import { wasTaken, withTaken } from "./taken-ids.ts";
import { isOut } from "./work.ts";

/** What a worker says while it does a task (reference B.14). */
export interface WorkerEvent {
  readonly taskId: string;
  readonly workerId: string;
  readonly type: string;
  /** Names the event for ever; a repeated one changes nothing. Null: not known. */
  readonly eventId: string | null;
  readonly payload: unknown;
  /** Whether the worker has the task. */
  readonly holds: boolean;
}

export const NOT_HELD = "The worker does not hold this task.";

/** A worker speaks of a task that it does not have, or not any more: another may have it. */
export class NotHeldError extends Error {
  override readonly name = "NotHeldError";

  constructor() {
    super(NOT_HELD);
  }
}

/** Whether the job has ever given out a task of this id. */
function isOwn(job: JobRecord, taskId: string): boolean {
  const number = Number(taskId.slice(job.id.length + 1));
  return number >= 1 && number < job.nextTask && taskId === `${job.id}-${number}`;
}

/**
 * A worker's event: it is in the history, and moves the job on when the task has a transition for its type. The task
 * is then left behind: what its worker reports later is stale. The payload is merged into `state_history`.
 * @returns null when the event changes nothing: the job ended, or the task is not its own
 * @throws {NotHeldError}
 * @throws {StateHistoryError} when the payload does not fit the job
 */
export function takeWorkerEvent(
  job: JobRecord,
  bp: CompleteBlueprint,
  event: WorkerEvent,
  around: Surroundings,
): Change | null {
  const { task } = job;
  if (isEnded(job.status) || job.cancellation !== null || !isOwn(job, event.taskId)) return null;
  // Clients name their events themselves, and must not be mistaken for a worker.
  const name = event.eventId === null ? null : `worker:${event.eventId}`;
  // The answer to an event that moved the job on may be lost, and the task is not with its worker any more.
  if (wasTaken(job, name)) return null;
  if (!event.holds) throw new NotHeldError();
  const told = record(
    { ...job, eventIds: withTaken(job, name) },
    {
      event_type: "worker_event",
      worker_id: event.workerId,
      task_id: event.taskId,
      context_snapshot: { event: event.type },
    },
    around.now,
  );
  const next = task?.id === event.taskId && isOut(task) ? targetOf(task.eventTransitions, event.type) : undefined;
  if (next === undefined) return changed(told);
  return changed(moveTo({ ...told, stateHistory: mergeStateHistory(told, bp, event.payload) }, next, around));
}
