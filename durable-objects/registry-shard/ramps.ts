import type { Demand } from "../../src/dispatch/demand.ts";
import type { Rule } from "../../src/dispatch/matching.ts";
import type { DispatchPolicy } from "../../src/dispatch/policy.ts";
import { otherSide, sideOf } from "../../src/dispatch/ramp.ts";
import { candidateOf, type Member, type Roster } from "./roster.ts";

const NOTHING: ReadonlySet<string> = new Set();

/** Sends a part of the tasks of a type to the workers of one version, as long as there are such workers. */
export class Ramps {
  readonly #roster: Roster;
  readonly #isThere: (member: Member, now: number) => boolean;
  readonly #policy: DispatchPolicy;

  constructor(roster: Roster, isThere: (member: Member, now: number) => boolean, policy: DispatchPolicy) {
    this.#roster = roster;
    this.#isThere = isThere;
    this.#policy = policy;
  }

  /** Whether any type is ramped. */
  get any(): boolean {
    return this.#policy.taskTypes.values().some(({ ramp }) => ramp !== null);
  }

  /** The demand with the side of the type's workers that the task is for; tasks of both sides wait in different lines. */
  sided<T extends Demand>(demand: T, taskId: string): T {
    const ramp = this.#rampOf(demand.type);
    return { ...demand, side: ramp === null ? undefined : sideOf(taskId, ramp) };
  }

  /**
   * The rule, and that of the ramp where it is in force: while a worker of the task's side could take the task, if
   * only it were free. So nothing waits for a worker that will not come.
   */
  rule(demand: Demand, rule: Rule, now: number): Rule {
    const ramp = this.#rampOf(demand.type);
    const { side } = demand;
    if (ramp === null || side === undefined) return rule;
    const ramped: Rule = (worker) => rule(worker) ?? otherSide(side, ramp, worker.info.version);
    for (const member of this.#roster.all()) {
      // Most workers of a large shard take other types: this is asked for each line that waits.
      if (!member.registeredTasks.has(demand.type) && !member.socketTasks.has(demand.type)) continue;
      const candidate = candidateOf(member);
      if (candidate === null || ramped({ ...candidate, free: 1, full: NOTHING }) !== null) continue;
      if (this.#isThere(member, now)) return ramped;
    }
    return rule;
  }

  #rampOf(type: string) {
    return this.#policy.taskTypes.get(type)?.ramp ?? null;
  }
}
