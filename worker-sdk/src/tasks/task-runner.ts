import type { TaskPayload } from "../protocol/index.ts";
import { PermanentError, TaskAbortedError } from "../errors.ts";
import { asJson, failure, outcomeOfError, readReturnValue, type Outcome } from "./outcome.ts";
import type { TaskDefinition } from "./task-catalog.ts";
import type { HandlerReturn, Middleware, MiddlewareContext, TaskContext } from "./task-context.ts";

/** What a handler's context has besides what its task says. */
export type TaskSurroundings = Pick<
  TaskContext,
  "signal" | "sendProgress" | "sendEvent" | "log" | "addToHotCache" | "removeFromHotCache"
>;

/** A task's files: its params with local paths in place of addresses, and a folder that is removed afterwards. */
export type TaskFiles = { readonly params: unknown } & Pick<TaskContext, "workspace">;

/** Runs a task among its files: brings them here before, takes those its outcome names away afterwards. */
export type WithFiles = (
  task: TaskPayload,
  signal: AbortSignal,
  run: (files: TaskFiles) => Promise<Outcome>,
) => Promise<Outcome>;

/** For places without a file system: params and outcomes stay as they are. */
export const withoutFiles: WithFiles = ({ params }, _signal, run) => {
  const workspace = async (): Promise<string> => {
    throw new PermanentError("There is no file system here, and so no workspace.");
  };
  return run({ params, workspace });
};

/**
 * Runs one task to its end; never rejects.
 *
 * A task whose signal was aborted before its handler ended is reported as what the abort means, whatever the handler did
 * then: `cancelled` as cancelled, `deadline` as a failure, `shutdown` as a transient failure unless the handler still
 * returned a result.
 * @param definition undefined when the worker has no such task
 * @param middleware the first is the outermost
 * @returns the outcome to report, or undefined when the lease was lost and nobody waits for it
 */
export async function runTask(
  definition: TaskDefinition | undefined,
  task: TaskPayload,
  surroundings: TaskSurroundings,
  middleware: readonly Middleware[] = [],
  withFiles: WithFiles = withoutFiles,
): Promise<Outcome | undefined> {
  if (definition === undefined) {
    return failure({ code: "PERMANENT_ERROR", message: `Unsupported task: ${task.type}` });
  }
  const { signal } = surroundings;
  try {
    signal.throwIfAborted();
    const outcome = await withFiles(task, signal, async (files) =>
      // A result schema may make something else of the data, such as a bigint.
      asJson(await definition.checked(await wrapped(definition, contextOf(task, files, surroundings), middleware))),
    );
    return abortCauseOf(signal) === "shutdown" ? outcome : unlessAborted(signal, task, outcome);
  } catch (error) {
    return unlessAborted(signal, task, outcomeOfError(error));
  }
}

function contextOf(task: TaskPayload, files: TaskFiles, surroundings: TaskSurroundings): MiddlewareContext {
  return {
    task: task.type,
    ...files,
    jobId: task.job_id,
    taskId: task.task_id,
    attempt: task.attempt,
    priority: task.priority,
    tracingContext: task.tracing_context,
    ...(task.deadline !== undefined && { deadline: new Date(task.deadline * 1000) }),
    ...surroundings,
  };
}

/** Calls the handler through all of the middleware. */
function wrapped(
  definition: TaskDefinition,
  context: MiddlewareContext,
  middleware: readonly Middleware[],
): Promise<Outcome> {
  const from = async (depth: number): Promise<Outcome> => {
    const layer = middleware[depth];
    if (layer === undefined) {
      const { task: _task, ...forHandler } = context;
      return readReturnValue(await definition.execute(forHandler));
    }
    let called = false;
    const returned: HandlerReturn = await layer(context, async () => {
      if (called) throw new TypeError("A middleware called next() twice; a task runs once.");
      called = true;
      return await from(depth + 1);
    });
    return readReturnValue(returned);
  };
  return from(0);
}

function unlessAborted(signal: AbortSignal, { deadline }: TaskPayload, outcome: Outcome): Outcome | undefined {
  const cause = abortCauseOf(signal);
  if (cause === "cancelled") return { status: "cancelled" };
  // The deadline tells it from a limit of the worker's own, after which another attempt may be worth while.
  if (cause === "deadline") return failure({ code: "TIMEOUT_ERROR", message: signal.reason.message, deadline });
  if (cause === "shutdown") return outcomeOfError(signal.reason);
  return cause === "lease_lost" ? undefined : outcome;
}

function abortCauseOf(signal: AbortSignal) {
  return signal.reason instanceof TaskAbortedError ? signal.reason.abortCause : undefined;
}
