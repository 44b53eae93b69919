import type { Heartbeat } from "@batuta/worker/protocol";
import type { Demand } from "./demand.ts";
import { requirementCheck, skillOf } from "./requirements.ts";

/** A worker as matching sees it: what it said of itself, and what it can take now. */
export interface Candidate {
  readonly id: string;
  readonly info: Heartbeat;
  /** The worker's status; a worker that waits for tasks is `idle`, whatever its last heartbeat said. */
  readonly status: string;
  /** Why it gets nothing new, whatever the task; null when it does. */
  readonly barred: string | null;
  /** Task types it takes at present. */
  readonly tasks: ReadonlySet<string>;
  /** Those of which it has as many already as it takes at once. */
  readonly full?: ReadonlySet<string>;
  /** Tasks it can take at once. */
  readonly free: number;
  readonly held: number;
  /** Number of the last hand-over to it, counted over all workers; 0 for none yet. */
  readonly turn: number;
  /** Epoch ms of the last task that it took or ended; the longest idle wins ties. */
  readonly idleSince: number;
}

/** What a task of this type costs on the worker, by its own word; what it does not tell may cost anything. */
export function costOf({ info }: Candidate, type: string): number {
  const skills = info.cost_per_skill ?? info.capabilities?.cost_per_skill;
  return skills?.[type] ?? info.cost_per_second ?? info.cost ?? Infinity;
}

/** Says what rules a worker out; null when it can take the task now. */
export type Rule = (worker: Candidate) => string | null;

/** The same text for demands with the same {@link machineRuleOf}. */
export function machineKey({ type, requirements, maxCost, tags, skillVersion, skillType }: Demand): string {
  return JSON.stringify([type, requirements, maxCost, tags, skillVersion, skillType]);
}

/** What of {@link ruleOf} has nothing to do with whose task it is and which workers it names. */
export function machineRuleOf(task: Demand): Rule {
  return ruleOf({ ...task, requiredWorkers: [], excludedWorkers: [] });
}

/**
 * What rules workers out for a task, in the order of spec §3: status, task type, resources, cost; then the words,
 * names and versions the task asks for, and last whether there is a free slot.
 */
export function ruleOf(task: Demand): Rule {
  const { type, maxCost, tags = [], requiredWorkers: only = [], excludedWorkers: not = [] } = task;
  const { skillVersion, skillType } = task;
  const lacksResources = requirementCheck(task.requirements);
  return (worker) => {
    if (worker.barred !== null) return worker.barred;
    if (worker.status !== "idle") return `status is ${worker.status}`;
    if (!worker.tasks.has(type)) return `does not take ${type}`;
    const lack = lacksResources?.(worker.info, type) ?? null;
    if (lack !== null) return lack;
    if (maxCost !== null) {
      const cost = costOf(worker, type);
      if (cost > maxCost) return `cost ${cost === Infinity ? "unknown" : cost} > ${maxCost}`;
    }
    if (tags.length > 0) {
      const has = worker.info.tags ?? [];
      const missing = tags.find((tag) => !has.includes(tag));
      if (missing !== undefined) return `has no tag ${missing}`;
    }
    if (only.length > 0 && !only.includes(worker.id)) return "is not one of the workers that the task asks for";
    if (not.includes(worker.id)) return "is one of the workers that the task excludes";
    if (skillVersion !== undefined || skillType !== undefined) {
      const skill = skillOf(worker.info, type);
      if (skillVersion !== undefined && skill?.version !== skillVersion) {
        return `skill version ${skill?.version ?? "unknown"} is not ${skillVersion}`;
      }
      if (skillType !== undefined && skill?.type !== skillType) {
        return `skill type ${skill?.type ?? "unknown"} is not ${skillType}`;
      }
    }
    if (worker.full?.has(type) === true) return `has as many ${type} as it takes at once`;
    return worker.free > 0 ? null : "has no free slot";
  };
}
