import { filesByKey, type TaskPayload } from "@batuta/worker/protocol";
import { z } from "zod";
import type { JobRecord, Task } from "../job/record.ts";
import { runTimeMs } from "../job/work.ts";
import { demand } from "./demand.ts";

/** A task on offer to the registry: everything needed to choose a worker and to hand it over. */
export const offer = demand.extend({
  jobId: z.string(),
  taskId: z.string(),
  attempt: z.number().int(),
  lease: z.string(),
  params: z.unknown(),
  /** What is known of the files that the params name. */
  paramsMetadata: filesByKey.optional(),
  tracing: z.record(z.string(), z.string()),
  priority: z.number(),
  timeoutMs: z.number(),
  /** Since when the attempt waits for a worker, epoch ms: its age decides its place in the line. Absent: since it came. */
  since: z.number().optional(),
});
export type Offer = z.infer<typeof offer>;

/** What the dispatch queue carries: offers for one shard, all of one job. */
export const dispatchMessage = z.object({ v: z.literal(1), shard: z.string(), offers: z.array(offer) });
export type DispatchMessage = z.infer<typeof dispatchMessage>;

/** Names one attempt of one task. */
export interface TaskRef {
  readonly jobId: string;
  readonly taskId: string;
  readonly attempt: number;
}

export function offerOf(job: JobRecord, task: Task, defaultTimeoutMs: number): Offer {
  const { request } = task;
  return {
    jobId: job.id,
    taskId: task.id,
    attempt: task.attempt,
    lease: task.lease,
    type: request.type,
    params: request.params ?? {},
    ...(task.paramsMetadata === undefined ? {} : { paramsMetadata: task.paramsMetadata }),
    tracing: { ...job.tracing },
    client: job.client.name,
    priority: request.priority ?? 0,
    strategy: request.dispatchStrategy ?? "default",
    requirements: request.resourceRequirements ?? null,
    maxCost: request.maxCost ?? null,
    ...(request.tags === undefined ? {} : { tags: [...request.tags] }),
    ...(request.requiredWorkers === undefined ? {} : { requiredWorkers: [...request.requiredWorkers] }),
    ...(request.excludedWorkers === undefined ? {} : { excludedWorkers: [...request.excludedWorkers] }),
    ...(request.skillVersion === undefined ? {} : { skillVersion: request.skillVersion }),
    ...(request.skillType === undefined ? {} : { skillType: request.skillType }),
    since: task.dispatchedAt,
    timeoutMs: runTimeMs(request, defaultTimeoutMs),
  };
}

/** The task as the worker sees it (spec §5), handed over at `now` (epoch ms). */
export function payloadOf(on: Offer, now: number): TaskPayload {
  return {
    job_id: on.jobId,
    task_id: on.taskId,
    type: on.type,
    params: on.params,
    ...(on.paramsMetadata === undefined ? {} : { params_metadata: on.paramsMetadata }),
    tracing_context: on.tracing,
    priority: on.priority,
    attempt: on.attempt,
    lease: on.lease,
    // Whole seconds: existing workers take no others.
    deadline: Math.ceil((now + on.timeoutMs) / 1000),
  };
}
