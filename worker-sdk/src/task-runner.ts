import type { TaskPayload } from "./protocol/index.ts";
import { TaskAbortedError } from "./errors.ts";
import { failure, outcomeOfError, readReturnValue, type Outcome } from "./outcome.ts";
import type { TaskContext, TaskDefinition } from "./task-catalog.ts";

/**
 * Runs one task to its end; never rejects.
 *
 * A task whose signal was aborted before its handler ended is reported as what the abort means, whatever the handler did
 * then: `cancelled` as cancelled, `shutdown` as a transient failure unless the handler still returned a result.
 * @param definition undefined when the worker has no such task type
 * @returns the outcome to report, or undefined when the lease was lost and nobody waits for it
 */
export async function runTask(
  definition: TaskDefinition | undefined,
  task: TaskPayload,
  { signal, sendProgress }: Pick<TaskContext, "signal" | "sendProgress">,
): Promise<Outcome | undefined> {
  if (definition === undefined) {
    return failure({ code: "PERMANENT_ERROR", message: `Unsupported task: ${task.type}` });
  }
  try {
    const returned = await definition.execute({
      params: task.params,
      jobId: task.job_id,
      taskId: task.task_id,
      attempt: task.attempt,
      priority: task.priority,
      tracingContext: task.tracing_context,
      ...(task.deadline !== undefined && { deadline: new Date(task.deadline * 1000) }),
      signal,
      sendProgress,
    });
    const outcome = readReturnValue(returned);
    return abortCauseOf(signal) === "shutdown" ? outcome : unlessAborted(signal, outcome);
  } catch (error) {
    return unlessAborted(signal, outcomeOfError(error));
  }
}

function unlessAborted(signal: AbortSignal, outcome: Outcome): Outcome | undefined {
  const cause = abortCauseOf(signal);
  if (cause === "cancelled") return { status: "cancelled" };
  if (cause === "shutdown") return outcomeOfError(signal.reason);
  return cause === "lease_lost" ? undefined : outcome;
}

function abortCauseOf(signal: AbortSignal) {
  return signal.reason instanceof TaskAbortedError ? signal.reason.abortCause : undefined;
}
