import type { AggregationResults, BranchResult, CompleteBlueprint } from "../blueprint/index.ts";
import { actions, isAction } from "../blueprint/actions.ts";
import type { StepHandler } from "../blueprint/blueprint.ts";
import { MAX_ERROR_CHARS, MAX_INLINE_BYTES } from "../limits.ts";
import { applyAction, StepError } from "./apply-action.ts";
import { endJob } from "./ending.ts";
import { record } from "./events.ts";
import { changed, hasFailed, type Branch, type Change, type JobRecord, type Surroundings } from "./record.ts";
import { retryDelayMs } from "./retry-policy.ts";
import { jsonBytes } from "./state-history.ts";

/** What the aggregator is given: every branch with its outcome, in submission order. */
export function aggregate(branches: readonly Branch[]): AggregationResults {
  const all = branches.flatMap((branch, index): BranchResult[] => {
    if (branch.outcome === null) return [];
    const { status, data, error, workerId } = branch.outcome;
    const { type, params } = branch.request;
    return [
      {
        index,
        taskId: branch.id,
        type,
        params: params ?? null,
        workerId,
        attempt: branch.attempt,
        status,
        data,
        error,
      },
    ];
  });
  return { all, failed: all.filter(hasFailed), succeeded: all.filter((result) => !hasFailed(result)) };
}

const NO_RESULTS: AggregationResults = { all: [], succeeded: [], failed: [] };

function contextOf(job: JobRecord, results: AggregationResults): Parameters<StepHandler>[0] {
  return {
    ...job.stateHistory,
    jobId: job.id,
    initialData: job.initialData,
    stateHistory: job.stateHistory,
    actions,
    client: job.client,
    tracingContext: job.tracing,
    aggregationResults: results,
  };
}

/** A handler threw: retried with backoff on its own counter, then quarantined with its error. */
function failHandler(job: JobRecord, thrown: unknown, around: Surroundings): Change {
  const error = (thrown instanceof Error ? thrown.message : String(thrown)).slice(0, MAX_ERROR_CHARS);
  const failures = job.handlerFailures + 1;
  const told = record(
    { ...job, handlerFailures: failures, error },
    { event_type: "state_failed", attempt_number: failures, error },
    around.now,
  );
  if (failures > around.settings.maxRetries) {
    return changed(endJob(told, { status: "quarantined", error }, around.now));
  }
  const wakeAt = around.now + retryDelayMs(failures, () => around.random());
  return changed({ ...told, status: "awaiting_retry", wakeAt });
}

/**
 * What a handler returned, as a copy of its own: the handler may keep what it gave away.
 * @throws {StepError} for functions and the like, which no storage takes
 */
function storable(job: JobRecord, value: unknown): unknown {
  try {
    return structuredClone(value);
  } catch {
    throw new StepError(`The handler of state '${job.state}' hands over what cannot be stored. Use plain JSON values.`);
  }
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** A step that finished at once, or one that goes on: then `started` is the job as it should be kept meanwhile. */
export type StepRun =
  | { readonly done: Change }
  | { readonly started: JobRecord; readonly finish: (around: () => Surroundings) => Promise<Change> };

/**
 * Runs the step of the job's present state. A handler that answers without waiting costs no write of its own.
 * @param branches the branches of the fan-out that an aggregator reads
 */
export function runStep(
  job: JobRecord,
  bp: CompleteBlueprint,
  branches: () => readonly Branch[],
  around: Surroundings,
): StepRun {
  const step = bp.steps.get(job.state);
  const running: JobRecord = record(
    { ...job, status: "running" },
    { event_type: "state_started", attempt_number: job.handlerFailures + 1 },
    around.now,
  );
  if (step === undefined) {
    const error = `Blueprint '${bp.name}' version ${bp.version} has no state '${job.state}' (the job was created by version ${job.blueprintVersion}).`;
    return { done: changed(endJob(running, { status: "quarantined", error }, around.now)) };
  }
  const conclude = (returned: unknown, then: Surroundings): Change => {
    const value = storable(running, returned);
    if (step.kind !== "end") {
      if (isAction(value)) return applyAction(running, bp, value, then);
      throw new StepError(
        `The handler of state '${job.state}' in blueprint '${bp.name}' returned no action. Return one of actions.transitionTo, dispatchTask, dispatchParallel.`,
      );
    }
    const result = step.run === null ? running.stateHistory : value;
    const bytes = jsonBytes(result);
    if (bytes > MAX_INLINE_BYTES) {
      throw new StepError(
        `The result of state '${job.state}' has ${bytes} bytes; ${MAX_INLINE_BYTES} are allowed. Return a reference instead of the content.`,
      );
    }
    const end = step.failure
      ? { status: "failed" as const, error: job.error ?? `The job ended in state '${job.state}'.`, result }
      : { status: "finished" as const, result };
    return changed(endJob(running, end, then.now));
  };
  const attempt = (run: () => Change, then: Surroundings): Change => {
    try {
      return run();
    } catch (thrown) {
      return failHandler(running, thrown, then);
    }
  };
  let value: unknown;
  try {
    const results = step.kind === "aggregator" ? aggregate(branches()) : NO_RESULTS;
    value = step.run?.(contextOf(running, results));
  } catch (thrown) {
    return { done: failHandler(running, thrown, around) };
  }
  if (!isPromise(value)) return { done: attempt(() => conclude(value, around), around) };
  const pending = value;
  return {
    started: running,
    async finish(later) {
      try {
        const settled = await pending;
        const then = later();
        return attempt(() => conclude(settled, then), then);
      } catch (thrown) {
        return failHandler(running, thrown, later());
      }
    },
  };
}
