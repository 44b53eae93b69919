import type { JsonObject } from "@batuta/worker/protocol";
import { hasFailed, type Branch, type JobRecord } from "./record.ts";

function iso(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}

/** Counts of a fan-out under way. */
export interface BranchCounts {
  readonly total: number;
  readonly done: number;
  readonly failed: number;
}

export function countBranches(branches: readonly Branch[]): BranchCounts {
  const ended = branches.flatMap((branch) => (branch.outcome === null ? [] : [branch.outcome]));
  const failed = ended.filter(hasFailed).length;
  return { total: branches.length, done: ended.length, failed };
}

/**
 * The job as its client sees it (spec §5). Never holds a token: `client_config` is the client's plan and params.
 * Times are ISO 8601 in UTC.
 * @param workerId the worker that has the job's task, as far as it is known
 */
export function jobView(job: JobRecord, branches: BranchCounts | null, workerId: string | null = null): JsonObject {
  const { task } = job;
  const share = branches === null || branches.total === 0 ? null : branches.done / branches.total;
  return {
    id: job.id,
    blueprint_name: job.blueprint,
    blueprint_version: job.blueprintVersion,
    current_state: job.state,
    status: job.status,
    initial_data: job.initialData,
    state_history: job.stateHistory,
    result: job.result,
    error_message: job.error,
    progress: job.status === "finished" ? 1 : (job.progress ?? share),
    progress_message: job.progressMessage,
    branches,
    retry_count: task?.failures ?? job.handlerFailures,
    current_task_id: task?.id ?? null,
    task_worker_id: workerId,
    current_task_info: task === null ? null : { ...taskInfo(task.request), attempt: task.attempt },
    current_task_transitions: task?.transitions ?? null,
    tracing_context: job.tracing,
    client_config: { name: job.client.name, plan: job.client.plan, params: job.client.params },
    created_at: iso(job.createdAt),
    updated_at: iso(job.updatedAt),
    finished_at: iso(job.finishedAt),
  };
}

function taskInfo(request: { type: string; params?: unknown }): JsonObject {
  return { type: request.type, params: request.params ?? null };
}
