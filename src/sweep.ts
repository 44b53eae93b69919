import { callObject } from "../durable-objects/shared/call-object.ts";
import { readConfiguration } from "./configuration.ts";
import type { Env } from "./env.ts";
import { pruneWindow, windowsBetween } from "./history/prune.ts";
import { quietJobs } from "./history/queries.ts";
import { log } from "./observability/log.ts";
import { reviewReputations } from "./registry/review-reputations.ts";

/** A job that waits for a worker looks after itself once a lease; one this quiet may have lost its alarm. */
const QUIET_MS = 15 * 60_000;
const JOBS_PER_SWEEP = 50;
const CALLS_AT_ONCE = 5;

/** As the cron trigger in `wrangler.toml`: what the sweep before this one has looked at. */
const SWEEP_EVERY_MS = 10 * 60_000;

/** Once an hour is a sweep's turn to review reputations: not that of the full hour, when much else begins. */
const SWEEPS_PER_HOUR = 6;
const REVIEWING_SWEEP = 2;

/**
 * What is done every ten minutes: wakes jobs that may have been forgotten, forgets what is too old, and once an hour
 * reviews the reputations of workers. Never throws.
 * @param now epoch ms
 */
export async function sweep(env: Env, now = Date.now()): Promise<void> {
  await Promise.all([wakeQuietJobs(env, now), pruneHistory(env, now), reviewInTurn(env, now)]);
}

async function reviewInTurn(env: Env, now: number): Promise<void> {
  if (Math.floor(now / SWEEP_EVERY_MS) % SWEEPS_PER_HOUR !== REVIEWING_SWEEP) return;
  try {
    await reviewReputations(env, readConfiguration(env).shards, now);
  } catch (error) {
    log(readConfiguration(env), "ERROR", "reputation.review_failed", { error: String(error) });
  }
}

async function pruneHistory(env: Env, now: number): Promise<void> {
  const settings = readConfiguration(env);
  try {
    for (const prefix of windowsBetween(now - SWEEP_EVERY_MS, now)) {
      // oxlint-disable-next-line no-await-in-loop -- one or two a sweep
      await pruneWindow(env.HISTORY_DB, env.PAYLOADS, prefix, now - settings.historyRetentionMs);
    }
  } catch (error) {
    log(settings, "ERROR", "history.prune_failed", { error: String(error) });
  }
}

/**
 * The safety net under the jobs' own alarms: wakes some live jobs that have been quiet for long. Waking is all it
 * takes, since an object repairs a missing alarm when it starts. Never throws.
 */
async function wakeQuietJobs(env: Env, now: number): Promise<void> {
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
