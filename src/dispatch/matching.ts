import type { Heartbeat } from "@batuta/worker/protocol";
import { z } from "zod";
import type { Offer } from "./offer.ts";

/** A worker as matching sees it: what it said of itself, and what it can take now. */
export interface Candidate {
  readonly id: string;
  readonly info: Heartbeat;
  /** Task types it takes at present. */
  readonly tasks: ReadonlySet<string>;
  /** Tasks it can take at once. */
  readonly free: number;
  readonly held: number;
  /** Number of the last hand-over to it, counted over all workers; 0 for none yet. */
  readonly turn: number;
  /** Epoch ms since when it holds nothing new; the longest idle wins ties. */
  readonly idleSince: number;
}

const requirementsShape = z.looseObject({
  gpu_info: z.looseObject({ model: z.string().optional(), vram_gb: z.number().optional() }).nullish(),
  installed_models: z.array(z.string()).optional(),
});

function lacksResources(info: Heartbeat, requirements: NonNullable<Offer["requirements"]>): string | null {
  const wanted = requirementsShape.safeParse(requirements);
  if (!wanted.success) return "the task's resource requirements cannot be read";
  const { gpu_info: gpu, installed_models: models } = wanted.data;
  if (gpu !== undefined && gpu !== null) {
    const has = info.resources?.gpu_info;
    if (has === undefined || has === null) return "no gpu";
    if (gpu.model !== undefined && !(has.model ?? "").includes(gpu.model))
      return `gpu ${has.model ?? "unknown"} is not ${gpu.model}`;
    if (gpu.vram_gb !== undefined && (has.vram_gb ?? 0) < gpu.vram_gb)
      return `vram ${has.vram_gb ?? 0} < ${gpu.vram_gb}`;
  }
  if (models !== undefined) {
    const installed = new Set((info.installed_models ?? []).map((model) => model.name));
    const missing = models.find((name) => !installed.has(name));
    if (missing !== undefined) return `model ${missing} is not installed`;
  }
  return null;
}

/**
 * What rules the worker out for the task, in the order of spec §3: status, task type, resources, cost.
 * @returns null when the worker can take the task now
 */
export function ruledOut(worker: Candidate, task: Offer): string | null {
  if (worker.info.status !== undefined && worker.info.status !== "idle") return `status is ${worker.info.status}`;
  if (!worker.tasks.has(task.type)) return `does not take ${task.type}`;
  if (task.requirements !== null) {
    const lack = lacksResources(worker.info, task.requirements);
    if (lack !== null) return lack;
  }
  if (task.maxCost !== null) {
    const cost = worker.info.cost_per_second ?? Infinity;
    if (cost > task.maxCost) return `cost ${cost} > ${task.maxCost}`;
  }
  return worker.free > 0 ? null : "has no free slot";
}
