import type { CompleteBlueprint } from "../blueprint/index.ts";
import { endJob } from "./ending.ts";
import { record } from "./events.ts";
import type { JobRecord, Surroundings } from "./record.ts";
import { StepError } from "./step-error.ts";

/** @throws {StepError} when the state does not exist, or is an aggregator and must not be, or the other way round */
export function requireState(job: JobRecord, bp: CompleteBlueprint, target: string, fanIn = false): void {
  const step = bp.steps.get(target);
  if (step === undefined) {
    throw new StepError(
      `Blueprint '${bp.name}' has a dangling transition: state '${job.state}' leads to non-existent state '${target}'.`,
    );
  }
  if ((step.kind === "aggregator") === fanIn) return;
  throw new StepError(
    fanIn
      ? `Blueprint '${bp.name}': state '${job.state}' aggregates into '${target}', which has no aggregator. Register it with .aggregator.`
      : `Blueprint '${bp.name}': state '${job.state}' leads to '${target}', an aggregator; only dispatchParallel and runParallel lead there.`,
  );
}

/** Moves a running or waiting job on to a state whose step is still to run. Whatever it waited for is forgotten. */
export function moveTo(job: JobRecord, to: string, around: Surroundings): JobRecord {
  const left = record(
    job,
    {
      event_type: "state_finished",
      previous_state: job.state,
      next_state: to,
      duration_ms: around.now - job.stateSince,
    },
    around.now,
  );
  const next: JobRecord = {
    ...left,
    state: to,
    stateSince: around.now,
    visit: job.visit + 1,
    status: "running",
    task: null,
    wait: null,
    fanOut: job.fanOut?.into === to ? job.fanOut : null,
    cancellation: null,
    handlerFailures: 0,
    error: null,
    wakeAt: around.now,
    checkAt: null,
    progress: null,
    progressMessage: null,
    transitions: job.transitions + 1,
  };
  if (next.transitions <= around.settings.maxTransitions) return next;
  const error = `Blueprint execution exceeded maximum transitions (${around.settings.maxTransitions}). Suspected infinite loop detected.`;
  return endJob(next, { status: "failed", error }, around.now);
}

/** The state a word leads to. Words come from outside: `constructor` must not find what every object has. */
export function targetOf(
  transitions: Readonly<Record<string, string>>,
  ...words: readonly string[]
): string | undefined {
  const word = words.find((each) => Object.hasOwn(transitions, each));
  return word === undefined ? undefined : transitions[word];
}
