import type { Action, AggregationResults, BranchResult, CompleteBlueprint } from "../blueprint/index.ts";
import { actions, isAction } from "../blueprint/actions.ts";
import { handlerFor } from "../blueprint/condition.ts";
import type { Step, StepHandler } from "../blueprint/step.ts";
import { MAX_ERROR_CHARS, MAX_INLINE_BYTES } from "../limits.ts";
import { applyAction } from "./apply-action.ts";
import { clockOf } from "./clock.ts";
import { endJob } from "./ending.ts";
import { record } from "./events.ts";
import { boundedFiles, FilesError, withBranchFiles } from "./files.ts";
import { changed, hasFailed, type Branch, type Change, type JobRecord, type Surroundings } from "./record.ts";
import { retryDelayMs } from "./retry-policy.ts";
import { jsonBytes } from "./state-history.ts";
import { StepError } from "./step-error.ts";

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

function contextOf(job: JobRecord, bp: CompleteBlueprint, results: AggregationResults): Parameters<StepHandler>[0] {
  return {
    ...job.stateHistory,
    currentState: job.state,
    dataStores: bp.dataStores,
    metadata: job.metadata,
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
  const wakeAt = clockOf(job, around) + retryDelayMs(failures, () => around.random());
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

/**
 * A step that finished at once, or one that goes on: then `started` is the job as it should be kept meanwhile. What
 * comes of it is applied to the job as it is by then, for people may have patched it in the meantime.
 */
export type StepRun =
  | { readonly done: Change }
  | {
      readonly started: JobRecord;
      readonly settled: Promise<(job: JobRecord, around: Surroundings) => Change>;
      /** The handler has taken too long. */
      readonly giveUp: (job: JobRecord, around: Surroundings) => Change;
    };

/** What an aggregator's action makes of the job, which learns of the branches' files. @throws {StepError} */
function applyFanIn(
  job: JobRecord,
  bp: CompleteBlueprint,
  action: Action,
  branches: readonly Branch[],
  around: Surroundings,
): Change {
  const knowing = withBranchFiles(job, branches);
  const change = applyAction(knowing, bp, action, around);
  if (knowing === job) return change;
  try {
    return { ...change, record: boundedFiles(change.record, around.now) };
  } catch (error) {
    if (error instanceof FilesError) throw new StepError(error.message);
    throw error;
  }
}

/** What a handler's answer makes of the job. */
function conclude(
  job: JobRecord,
  bp: CompleteBlueprint,
  step: Step,
  returned: unknown,
  branches: readonly Branch[],
  around: Surroundings,
): Change {
  const value = storable(job, returned);
  if (step.kind !== "end") {
    if (isAction(value)) return applyFanIn(job, bp, value, branches, around);
    throw new StepError(
      `The handler of state '${job.state}' in blueprint '${bp.name}' returned no action. Return one of ${Object.keys(actions).join(", ")} of actions.`,
    );
  }
  const result = step.run === null ? job.stateHistory : value;
  const bytes = jsonBytes(result);
  if (bytes > MAX_INLINE_BYTES) {
    throw new StepError(
      `The result of state '${job.state}' has ${bytes} bytes; ${MAX_INLINE_BYTES} are allowed. Return a reference instead of the content.`,
    );
  }
  const end = step.failure
    ? { status: "failed" as const, error: job.error ?? `The job ended in state '${job.state}'.`, result }
    : { status: "finished" as const, result };
  return changed(endJob(job, { ...end, byEndState: true }, around.now));
}

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
  const ended = step.kind === "aggregator" ? branches() : [];
  const attempt = (returned: unknown, then: JobRecord, later: Surroundings): Change => {
    try {
      return conclude(then, bp, step, returned, ended, later);
    } catch (thrown) {
      return failHandler(then, thrown, later);
    }
  };
  let value: unknown;
  try {
    const context = contextOf(running, bp, step.kind === "aggregator" ? aggregate(ended) : NO_RESULTS);
    value = handlerFor(step, context)?.(context);
  } catch (thrown) {
    return { done: failHandler(running, thrown, around) };
  }
  if (!isPromise(value)) return { done: attempt(value, running, around) };
  return {
    started: running,
    settled: value.then(
      (returned) => (then, later) => attempt(returned, then, later),
      (thrown: unknown) => (then, later) => failHandler(then, thrown, later),
    ),
    giveUp: (then, later) =>
      failHandler(then, new StepError(`The handler of state '${then.state}' did not answer in time.`), later),
  };
}
