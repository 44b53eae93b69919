import type { JsonObject } from "@batuta/worker/protocol";
import { filesView } from "./files.ts";
import { hasFailed, type Branch, type JobRecord } from "./record.ts";
import { decisionsOf, type Wait } from "./wait.ts";

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

function waitView(wait: Wait): JsonObject {
  const common = { kind: wait.kind, id: wait.id, since: iso(wait.since), until: iso(wait.until) };
  if (wait.kind === "timer") return common;
  if (wait.kind === "event") return { ...common, event: wait.event };
  const { message, integration, data, deciders, approvals, decisions } = wait;
  const said = decisions.map(({ decision, by, comment, at }) => ({
    decision,
    decided_by: by,
    comment,
    decided_at: iso(at),
  }));
  return { ...common, message, integration, data, deciders, approvals, decisions: decisionsOf(wait), decided: said };
}

/** What the job waits for besides its task, if for anything. */
function waitingFor(job: JobRecord): JsonObject | null {
  if (job.wait !== null) return waitView(job.wait);
  if (job.status === "pending") return { kind: "start", id: null, since: iso(job.createdAt), until: iso(job.wakeAt) };
  if (job.status === "awaiting_retry")
    return { kind: "retry", id: null, since: iso(job.updatedAt), until: iso(job.wakeAt) };
  return null;
}

/**
 * The job as its client sees it (spec §5). Never holds a token: `client_config` is the client's plan and params.
 * Times are ISO 8601 in UTC.
 * @param workerId the worker that has the job's task, as far as it is known
 */
export function jobView(job: JobRecord, branches: BranchCounts | null, workerId: string | null = null): JsonObject {
  const { task, pause } = job;
  const share = branches === null || branches.total === 0 ? null : branches.done / branches.total;
  return {
    id: job.id,
    blueprint_name: job.blueprint,
    blueprint_version: job.blueprintVersion,
    current_state: job.state,
    status: job.status,
    initial_data: job.initialData,
    metadata: job.metadata,
    data_metadata: filesView(job),
    state_history: job.stateHistory,
    result: job.result,
    error_message: job.error,
    progress: job.status === "finished" ? 1 : (job.progress ?? share),
    progress_message: job.progressMessage,
    branches,
    waiting_for: waitingFor(job),
    paused: pause === null ? null : { since: iso(pause.at), by: pause.by, reason: pause.reason },
    cancel_requested: job.cancellation !== null || job.cleanUpFor !== null,
    retry_count: task?.failures ?? job.handlerFailures,
    retry_at: iso(task?.retryAt ?? null),
    current_task_id: task?.child === null ? task.id : null,
    child_job_id: task?.child === null ? null : (task?.id ?? null),
    parent_job_id: job.parent?.jobId ?? null,
    task_worker_id: workerId,
    current_task_info: task === null ? null : { ...taskInfo(task.request), attempt: task.attempt },
    current_task_transitions: task?.transitions ?? job.wait?.transitions ?? null,
    tracing_context: job.tracing,
    client_config: { name: job.client.name, plan: job.client.plan, params: job.client.params },
    created_at: iso(job.createdAt),
    updated_at: iso(job.updatedAt),
    finished_at: iso(job.finishedAt),
    deadline: iso(job.deadlineAt),
  };
}

function taskInfo(request: { type: string; params?: unknown }): JsonObject {
  return { type: request.type, params: request.params ?? null };
}
