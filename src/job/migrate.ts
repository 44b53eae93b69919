import type { CompleteBlueprint } from "../blueprint/index.ts";
import { record } from "./events.ts";
import type { JobRecord } from "./record.ts";
import { isEnded } from "./status.ts";

/** What the states of a version have become; null when the blueprint does not say. */
function mappingFrom(
  { migrations }: Pick<CompleteBlueprint, "migrations">,
  version: number,
): ((state: string) => string) | null {
  const states = migrations.find((each) => each.from === version)?.states;
  if (states === undefined) return null;
  return (state) => (Object.hasOwn(states, state) ? states[state] : undefined) ?? state;
}

/** Whether the job can go on here: its state is there, and its fan-out still ends in an aggregator. */
function fits({ state, fanOut }: JobRecord, { steps }: CompleteBlueprint): boolean {
  return steps.has(state) && (fanOut === null || steps.get(fanOut.into)?.kind === "aggregator");
}

/**
 * Brings a live job of an earlier version of its blueprint to this version, by the blueprint's declared mapping of
 * states. Without a mapping the job stays as it is: it goes on where its states still exist (design §2). So it does
 * when the mapping forgets its state, so that a corrected mapping can still bring it over.
 * @returns the very same record when there is nothing to do
 */
export function migrateJob(job: JobRecord, bp: CompleteBlueprint, now: number): JobRecord {
  if (isEnded(job.status) || job.blueprintVersion >= bp.version) return job;
  const to = mappingFrom(bp, job.blueprintVersion);
  if (to === null) return job;
  const all = (transitions: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
    Object.fromEntries(Object.entries(transitions).map(([word, state]) => [word, to(state)]));
  const { task, wait, fanOut } = job;
  const migrated: JobRecord = {
    ...job,
    blueprintVersion: bp.version,
    state: to(job.state),
    task: task && { ...task, transitions: all(task.transitions), eventTransitions: all(task.eventTransitions) },
    wait: wait && { ...wait, transitions: all(wait.transitions) },
    fanOut: fanOut && { ...fanOut, into: to(fanOut.into) },
  };
  if (!fits(migrated, bp)) return job;
  const snapshot = { from_version: job.blueprintVersion, to_version: bp.version };
  return record(
    migrated,
    { event_type: "job_migrated", previous_state: job.state, next_state: migrated.state, context_snapshot: snapshot },
    now,
  );
}

/** What a new version of its blueprint makes of a job. */
export type Fate = { readonly fate: "goes_on" | "stranded" } | { readonly fate: "mapped"; readonly to: string };

/**
 * Where a job of some version and state would stand under a blueprint.
 * @param bp null when there is no such blueprint any more
 * @returns `goes_on`, the state a mapping leads to, or `stranded` when the state is gone and nothing maps it
 */
export function fateOf(
  bp: Pick<CompleteBlueprint, "states" | "migrations"> | null,
  version: number,
  state: string,
): Fate {
  const to = (bp === null ? null : mappingFrom(bp, version))?.(state) ?? state;
  if (bp === null || !bp.states.includes(to)) return { fate: "stranded" };
  return to === state ? { fate: "goes_on" } : { fate: "mapped", to };
}
