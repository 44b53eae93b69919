import type { Demand } from "./demand.ts";
import type { Line } from "./lines.ts";
import type { Candidate, Rule } from "./matching.ts";

/** What somebody who looks for a waiting task can take. */
export interface Look {
  /** The worker that looks; null for whoever may. */
  readonly worker: string | null;
  /** Whether a client's tasks of a type may go at all at present. */
  readonly admits: (of: Pick<Demand, "type" | "client">) => boolean;
  readonly fits: (line: Line) => boolean;
}

/**
 * A worker looks. Of the lines that ask the same of a machine, it is held against one; for the others what was found is
 * good until the worker changes.
 * @param ruleNow the line's rule, and what else is in force at present
 */
export function lookOf(candidate: Candidate, admits: Look["admits"], ruleNow: (line: Line) => Rule): Look {
  const machines = new Map<Rule, boolean>();
  const hasMachine = (machine: Rule) => {
    const known = machines.get(machine);
    if (known !== undefined) return known;
    const found = machine(candidate) === null;
    machines.set(machine, found);
    return found;
  };
  return {
    worker: candidate.id,
    admits,
    fits: (line) => hasMachine(line.machine) && line.rule(candidate) === null && ruleNow(line)(candidate) === null,
  };
}
