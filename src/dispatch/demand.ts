import { jsonObject } from "@batuta/worker/protocol";
import { z } from "zod";

const names = z.array(z.string()).optional();

/**
 * What a task asks of the worker that takes it. Tasks that ask the same share a line of the waiting list, so that a
 * worker is looked at once for all of them.
 */
export const demand = z.object({
  type: z.string(),
  /** Whose task it is: limits and fairness go by it. */
  client: z.string(),
  strategy: z.string(),
  requirements: jsonObject.nullable(),
  /** Highest cost of a worker for this type. */
  maxCost: z.number().nullable(),
  /** Words the worker must bear, all of them. */
  tags: names,
  /** The only workers that may take it; none named means any. */
  requiredWorkers: names,
  excludedWorkers: names,
  /** Version and type of the worker's skill, where the later generation tells them (reference C.4). */
  skillVersion: z.string().optional(),
  skillType: z.string().optional(),
  /** Which of a ramped type's workers it is for. The shard says so, by the ramp of the moment. */
  side: z.enum(["ramped", "rest"]).optional(),
});
export type Demand = z.infer<typeof demand>;

/** The same text for demands that ask the same, whatever else an offer says. */
export function demandKey(of: Demand): string {
  const { type, client, strategy, requirements, maxCost, tags, requiredWorkers, excludedWorkers } = of;
  return JSON.stringify([
    type,
    client,
    strategy,
    requirements,
    maxCost,
    tags,
    requiredWorkers,
    excludedWorkers,
    of.skillVersion,
    of.skillType,
    of.side,
  ]);
}
