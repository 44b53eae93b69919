import type { CompleteBlueprint } from "../blueprint/index.ts";
import { endJob } from "./ending.ts";
import type { Branch, Change, JobRecord, Surroundings } from "./record.ts";
import { runStep, type StepRun } from "./run-step.ts";

/** A step whose handler takes its time. */
export type SlowStep = Extract<StepRun, { started: JobRecord }>;

/**
 * Runs steps until the job waits or ends, or until a handler takes its time. Whatever they changed is one change, to be
 * committed as one.
 * @param from the change that set the job running
 * @param bp null when the blueprint is not deployed any more: the job is then quarantined with that reason
 * @param branchesOf the branches of the job's fan-out, with those of a change that is not committed yet
 * @returns the change, and the slow step that has been started with it, if one has
 */
export function runSteps(
  from: Change,
  bp: CompleteBlueprint | null,
  branchesOf: (job: JobRecord, uncommitted: readonly Branch[]) => readonly Branch[],
  around: () => Surroundings,
): { readonly change: Change; readonly slow: SlowStep | null } {
  let change = from;
  for (;;) {
    const { record: job, branches } = change;
    if (bp === null) {
      const error = `Blueprint '${job.blueprint}' not found: it is not deployed any more.`;
      const ended = endJob({ ...job, status: "running" }, { status: "quarantined", error }, around().now);
      return { change: { ...change, record: ended, writeRecord: true }, slow: null };
    }
    const run = runStep(job, bp, () => branchesOf(job, branches), around());
    if ("started" in run) return { change: { ...change, record: run.started, writeRecord: true }, slow: run };
    change = {
      ...run.done,
      branches: [...branches, ...run.done.branches],
      releases: [...change.releases, ...run.done.releases],
    };
    if (run.done.record.status !== "running") return { change, slow: null };
  }
}
