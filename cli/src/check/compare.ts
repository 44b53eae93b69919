import { type Fate, fateOf } from "../../../src/job/migrate.ts";
import type { Deployed } from "./live-jobs.ts";
import type { LoadedBlueprint } from "./load-blueprints.ts";

/** Live jobs of one version in one state, and what the new blueprints make of them. */
export type JobsOutcome = Fate & {
  readonly version: number;
  readonly state: string;
  readonly count: number;
  /** Some of them. */
  readonly job_ids: readonly string[];
};

/** What becomes of a blueprint and its live jobs. The members are those of `--json`. */
export interface BlueprintOutcome {
  readonly name: string;
  /** In the new module; null when it is not there. */
  readonly version: number | null;
  /** On the server; null when it is not there. */
  readonly deployed_version: number | null;
  readonly jobs: readonly JobsOutcome[];
  readonly warnings: readonly string[];
}

export interface Comparison {
  /** How many live jobs would be stranded. */
  readonly stranded: number;
  readonly blueprints: readonly BlueprintOutcome[];
}

type DeployedBlueprint = Deployed["blueprints"][number];

/** What would happen to the live jobs of a server if it were given these blueprints. */
export function compare(next: readonly LoadedBlueprint[], deployed: Deployed): Comparison {
  const names = new Set([...next, ...deployed.blueprints].map(({ name }) => name));
  for (const { blueprint } of deployed.jobs) names.add(blueprint);
  const blueprints = [...names].map((name) => {
    const bp = next.find((each) => each.name === name) ?? null;
    const before = deployed.blueprints.find((each) => each.name === name) ?? null;
    const jobs = deployed.jobs
      .filter((group) => group.blueprint === name)
      .map(({ blueprint_version: version, current_state: state, count, job_ids }): JobsOutcome => {
        return { version, state, count, job_ids, ...fateOf(bp, version, state) };
      });
    const warnings = bp === null || before === null ? [] : warningsOf(bp, before, jobs);
    return { name, version: bp?.version ?? null, deployed_version: before?.version ?? null, jobs, warnings };
  });
  const lost = blueprints.flatMap(({ jobs }) => jobs).filter(({ fate }) => fate === "stranded");
  return { stranded: lost.reduce((sum, { count }) => sum + count, 0), blueprints };
}

function warningsOf(bp: LoadedBlueprint, before: DeployedBlueprint, jobs: readonly JobsOutcome[]): string[] {
  const warnings: string[] = [];
  const changed = new Set(bp.states).symmetricDifference(new Set(before.states)).size > 0;
  if (changed && bp.version === before.version) {
    warnings.push(
      `The states have changed, but the version is still ${bp.version}. Count it up to ${bp.version + 1}: a migration can only say what has become of the states of earlier versions.`,
    );
  }
  if (bp.version < before.version) {
    warnings.push(
      `The version goes back from ${before.version} to ${bp.version}. No migration can bring jobs of a later version back.`,
    );
  }
  for (const version of new Set([before.version, ...jobs.map((group) => group.version)])) {
    const gone = before.states.filter((state) => mayStillBeReached(bp, version, state, jobs));
    if (gone.length > 0) warnings.push(stillReached(bp, version, gone));
  }
  return warnings;
}

/** A state of the deployed version that is gone. Of jobs that are in it, their own fate tells already. */
function mayStillBeReached(bp: LoadedBlueprint, version: number, state: string, jobs: readonly JobsOutcome[]): boolean {
  const told = jobs.some((group) => group.version === version && group.state === state);
  return !told && fateOf(bp, version, state).fate === "stranded";
}

function stillReached(bp: LoadedBlueprint, version: number, states: readonly string[]): string {
  const which = states.map((state) => `'${state}'`).join(", ");
  const [be, them] = states.length === 1 ? ["is", "it"] : ["are", "them"];
  const remedy =
    version < bp.version
      ? `Say in migrations, from: ${version}, what has become of ${them}.`
      : `Keep ${them} until those jobs have ended, or count the version up and say in migrations what has become of ${them}.`;
  return `Jobs of version ${version} in flight may still lead to ${which}, which ${be} gone. ${remedy}`;
}
