import { z } from "zod";
import { identifier } from "./identifiers.ts";

const gpuInfo = z.looseObject({ model: z.string().optional(), vram_gb: z.number().optional() });

/** What the later generation tells of a task type. */
const skillInfo = z.looseObject({ name: z.string(), version: z.string().nullish(), type: z.string().nullish() });

/** How many of these tasks together a worker takes at once. */
export const taskLimit = z.object({ tasks: z.array(z.string()), max: z.number().int().min(0) });
export type TaskLimit = z.infer<typeof taskLimit>;

/** Tasks go to the cheapest worker first: one that is paid for working would get them all. */
const cost = z.number().min(0, "must be 0 or more: tasks go to the cheapest worker");

/** What a worker says of itself; every member but the id may be left out, and unknown members are kept and shown. */
const workerFields = {
  worker_type: z.string().optional(),
  supported_tasks: z.array(z.string()).optional(),
  /** The later generation's words for the same: what it takes now, and all it could (reference D.9). */
  available_skills: z.array(z.string()).optional(),
  supported_skills: z.array(skillInfo).optional(),
  max_concurrent_tasks: z.number().int().positive().optional(),
  /** Limits beside the number of tasks at once. */
  task_limits: z.array(taskLimit).optional(),
  status: z.string().optional(),
  load: z.number().optional(),
  /** The tasks a polling worker has, so that one it never received is noticed. */
  current_tasks: z.array(z.string()).optional(),
  hot_cache: z.array(z.string()).optional(),
  /** Skills whose models are all loaded. */
  hot_skills: z.array(z.string()).optional(),
  /** Words that tasks may ask for. */
  tags: z.union([z.array(z.string()), z.string().transform((tag) => [tag])]).optional(),
  /** Version of the worker's program. */
  version: z.union([z.string(), z.number().transform(String)]).optional(),
  /** Where the worker runs, in the words of the platform's location hints; see X-Worker-Region. */
  region: z.string().nullish(),
  cost_per_second: cost.optional(),
  /** The first generation's word, which it no longer uses. */
  cost: z.number().optional(),
  cost_per_skill: z.record(z.string(), cost).optional(),
  resources: z.looseObject({ gpu_info: gpuInfo.nullish() }).optional(),
  installed_models: z.array(z.looseObject({ name: z.string(), version: z.string().optional() })).optional(),
  capabilities: z
    .looseObject({
      websockets: z.boolean().optional(),
      cost_per_skill: z.record(z.string(), cost).optional(),
    })
    .optional(),
};

/** Body of `POST /_worker/workers/register` (spec §5; reference D.2). */
export const workerRegistration = z.looseObject({ worker_id: identifier, ...workerFields });
export type WorkerRegistration = z.infer<typeof workerRegistration>;

/** Body of `PATCH /_worker/workers/{worker_id}`: the members that changed (reference D.3). */
export const heartbeat = z.looseObject(workerFields);
export type Heartbeat = z.infer<typeof heartbeat>;

/** The task types a worker takes at present, in whichever generation's words it says so. */
export function taskTypesOf(worker: Heartbeat): string[] {
  const { supported_tasks: tasks, available_skills: available, supported_skills: skills } = worker;
  return tasks ?? available ?? skills?.map(({ name }) => name) ?? [];
}
