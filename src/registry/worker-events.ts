import { progressPayload, type WorkerEvent } from "@batuta/worker/protocol";
import { callObject } from "../../durable-objects/shared/call-object.ts";
import type { Env } from "../env.ts";
import { NOT_HELD } from "../job/worker-event.ts";

/**
 * Brings a worker's event to its job: progress is kept with the job, any other event may move it on.
 * @param holds whether the worker has the task
 * @returns why the job could not take it; null when it did, or when it changes nothing
 */
export async function tellJob(env: Env, workerId: string, event: WorkerEvent, holds: boolean): Promise<string | null> {
  const { target_job_id: jobId, target_task_id: taskId, event_type: type, event_id: eventId, payload } = event;
  if (type === "progress") {
    const parsed = progressPayload.safeParse(payload);
    if (!parsed.success) return "The payload of a progress event needs a progress from 0 to 1.";
    if (!holds) return NOT_HELD;
    const { progress, message } = parsed.data;
    await callObject(env.JOBS, jobId, (job) => job.progress(taskId, progress, message ?? undefined));
    return null;
  }
  return await callObject(env.JOBS, jobId, (job) =>
    job.workerEvent({ taskId, workerId, type, eventId: eventId ?? null, payload: payload ?? {}, holds }),
  );
}
