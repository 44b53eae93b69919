import { callObject } from "../../durable-objects/shared/call-object.ts";
import { mapLimit, PARALLEL_CALLS } from "../../durable-objects/shared/map-limit.ts";
import type { Configuration } from "../configuration.ts";
import type { Env } from "../env.ts";
import { log } from "../observability/log.ts";
import type { Offer } from "./offer.ts";
import type { NotTaken } from "./shard-call.ts";

/** An offer that its shard does not take, and why. */
export interface Undelivered {
  readonly offer: Offer;
  readonly why: NotTaken;
}

/**
 * Tells jobs that attempts of theirs could not be dispatched; a job to which the attempt still matters goes to
 * quarantine with the reason. Each is logged. Never throws.
 * @param tries deliveries in all
 * @returns whether all jobs have been told; those that were may be told again
 */
export async function giveUp(
  env: Pick<Env, "JOBS">,
  settings: Configuration,
  shard: string,
  undelivered: readonly Undelivered[],
  tries: number,
): Promise<boolean> {
  const told = await mapLimit(undelivered, PARALLEL_CALLS, async ({ offer: { jobId, taskId, attempt }, why }) => {
    const fields = { shard, job_id: jobId, task_id: taskId, attempt, tries, why: why.kind, error: why.error };
    const reason = reasonOf(shard, tries, why);
    try {
      const changed = await callObject(env.JOBS, jobId, (job) => job.undeliverable({ taskId, attempt, shard }, reason));
      if (changed) log(settings, "ERROR", "dispatch.gave_up", fields);
      else log(settings, "INFO", "dispatch.dead_letter_outdated", fields);
      return true;
    } catch (error) {
      log(settings, "ERROR", "dispatch.job_not_told", { ...fields, job_error: String(error) });
      return false;
    }
  });
  return told.every(Boolean);
}

function reasonOf(shard: string, tries: number, { kind, error }: NotTaken): string {
  const did = { refused: "refused it", away: "did not answer", overloaded: "was overloaded" }[kind];
  return `Shard '${shard}' ${did}, in ${tries} tries. The last error: ${error}`;
}
