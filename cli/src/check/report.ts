import type { BlueprintOutcome, Comparison, JobsOutcome } from "./compare.ts";
import type { LoadedBlueprint } from "./load-blueprints.ts";

/** The blueprints of a module that was not checked against any jobs, one a line. */
export function loadedReport(blueprints: readonly LoadedBlueprint[]): string {
  const list = blueprints.map(
    ({ name, version, states }) => `${name}: version ${version}, ${count(states.length, "state")}`,
  );
  return [...list, "The server would start with these blueprints. Give --url to check them against running jobs."].join(
    "\n",
  );
}

/** What becomes of the jobs of a server, for people to read. */
export function comparisonReport({ stranded, blueprints }: Comparison, url: string): string {
  const summary =
    stranded === 0
      ? `No job on ${url} would be stranded.`
      : `${count(stranded, "job")} on ${url} would be stranded. As soon as such a job needs a state that is gone, it is quarantined. Say in the blueprint's migrations what has become of the state, or keep it until its jobs have ended.`;
  return [...blueprints.map(blueprintReport), summary].join("\n");
}

function blueprintReport({ jobs, warnings, ...blueprint }: BlueprintOutcome): string {
  const rows = jobs.map((group) => `  ${rowOf(group, blueprint.version === null)}`);
  const none = jobs.length === 0 ? ", no running jobs" : "";
  return [`${titleOf(blueprint)}${none}`, ...rows, ...warnings.map((warning) => `  warning   ${warning}`)].join("\n");
}

function titleOf({ name, version, deployed_version: deployed }: Omit<BlueprintOutcome, "jobs" | "warnings">): string {
  if (version === null) return `${name}: not among the new blueprints`;
  if (deployed === null) return `${name}: version ${version}, not on the server yet`;
  return deployed === version ? `${name}: version ${version}, as before` : `${name}: version ${deployed} → ${version}`;
}

function rowOf(group: JobsOutcome, isBlueprintGone: boolean): string {
  const some = group.job_ids.join(", ");
  const ids = group.count > group.job_ids.length ? `${some}, …` : some;
  const which = `of version ${group.version}: ${count(group.count, "job")} (${ids})`;
  switch (group.fate) {
    case "goes_on":
      return `goes on   ${group.state}, ${which}`;
    case "mapped":
      return `mapped    ${group.state} → ${group.to}, ${which}`;
    case "stranded":
      return `STRANDED  ${group.state}, ${which}: the ${isBlueprintGone ? "blueprint" : "state"} is gone`;
  }
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
