import { callObject } from "../durable-objects/shared/call-object.ts";
import { readConfiguration } from "./configuration.ts";
import type { Env } from "./env.ts";
import { quietJobs } from "./history/queries.ts";
import { log } from "./observability/log.ts";

/** A job that waits for a worker looks after itself once a lease; one this quiet may have lost its alarm. */
const QUIET_MS = 15 * 60_000;
const JOBS_PER_SWEEP = 50;
const CALLS_AT_ONCE = 5;

/**
 * The safety net under the jobs' own alarms: wakes some live jobs that have been quiet for long. Waking is all it
 * takes, since an object repairs a missing alarm when it starts. Never throws.
 */
export async function sweep(env: Env, now = Date.now()): Promise<void> {
  try {
    const ids = await quietJobs(env.HISTORY_DB, now - QUIET_MS, crypto.randomUUID(), JOBS_PER_SWEEP);
    for (let i = 0; i < ids.length; i += CALLS_AT_ONCE) {
      const some = ids.slice(i, i + CALLS_AT_ONCE);
      await Promise.all(some.map((id) => callObject(env.JOBS, id, (job) => job.wake())));
    }
  } catch (error) {
    log(readConfiguration(env), "ERROR", "sweep.failed", { error: String(error) });
  }
}
