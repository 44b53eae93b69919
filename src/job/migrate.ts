import type { CompleteBlueprint } from "../blueprint/index.ts";
import { record } from "./events.ts";
import type { JobRecord } from "./record.ts";
import { isEnded } from "./status.ts";

/**
 * Brings a live job of an earlier version of its blueprint to this version, by the blueprint's declared mapping of
 * states. Without a mapping the job stays as it is: it goes on where its states still exist (design §2).
 * @returns the very same record when there is nothing to do
 */
export function migrateJob(job: JobRecord, bp: CompleteBlueprint, now: number): JobRecord {
  if (isEnded(job.status) || job.blueprintVersion >= bp.version) return job;
  const mapping = bp.migrations.find((each) => each.from === job.blueprintVersion);
  if (mapping === undefined) return job;
  const to = (state: string): string =>
    (Object.hasOwn(mapping.states, state) ? mapping.states[state] : undefined) ?? state;
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
  const snapshot = { from_version: job.blueprintVersion, to_version: bp.version };
  return record(
    migrated,
    { event_type: "job_migrated", previous_state: job.state, next_state: migrated.state, context_snapshot: snapshot },
    now,
  );
}

/**
 * Where a job of some version and state would stand under a blueprint.
 * @returns `goes_on`, the state a mapping leads to, or `stranded` when the state is gone and nothing maps it
 */
export function fateOf(
  bp: CompleteBlueprint | null,
  version: number,
  state: string,
): { readonly fate: "goes_on" | "stranded" } | { readonly fate: "mapped"; readonly to: string } {
  if (bp === null) return { fate: "stranded" };
  const mapping = bp.migrations.find((each) => each.from === version);
  const target = mapping !== undefined && Object.hasOwn(mapping.states, state) ? mapping.states[state] : undefined;
  if (target !== undefined) return bp.steps.has(target) ? { fate: "mapped", to: target } : { fate: "stranded" };
  return { fate: bp.steps.has(state) ? "goes_on" : "stranded" };
}
