import { z } from "zod";
import type { SuccessRate } from "../dispatch/reputation.ts";

/** Rows looked at in one review: it bounds what a review costs and how long it takes, however long the history is. */
const MAX_ROWS = 300_000;

/**
 * Ids of jobs are random, so that the rows after a random id are a fair sample of all; a history with fewer rows than
 * the limit is looked at as a whole. A result that was cancelled, or failed for its input, says nothing of its worker.
 * Rows that do not count are the group without a worker: together the groups tell how many rows there were.
 */
const RATES = `
WITH sample AS (
  SELECT worker_id, event_type, error, created_at, context_snapshot FROM job_events WHERE job_id >= ?1
  UNION ALL
  SELECT worker_id, event_type, error, created_at, context_snapshot FROM job_events WHERE job_id < ?1
  LIMIT ?3
)
SELECT
  iif(
    sample.event_type = 'task_finished'
      AND sample.created_at >= ?2
      AND sample.created_at > coalesce(?4 ->> sample.worker_id, 0)
      AND coalesce(sample.context_snapshot ->> 'outcome', '') <> 'cancelled'
      AND coalesce(sample.error, '') NOT LIKE 'INVALID_INPUT_ERROR:%',
    sample.worker_id,
    NULL
  ) AS worker_id,
  count(*) AS results,
  avg(sample.error IS NULL) AS rate
FROM sample
GROUP BY 1`;

const groups = z.array(z.object({ worker_id: z.string().nullable(), results: z.number(), rate: z.number() }));

/** What is asked for; times are epoch ms. */
export interface RatesQuestion {
  readonly since: number;
  /** Since when the results of some workers count. */
  readonly resets: readonly { readonly workerId: string; readonly at: number }[];
  /** Where in the order of job ids to begin: a random id. */
  readonly from: string;
  readonly maxRows?: number;
}

/**
 * The share of successes among the results of each worker, branches of fan-outs included.
 * @returns the rates, and whether they are of the whole history: a worker that is missing then has no results
 * @throws what D1 throws
 */
export async function successRates(
  db: D1Database,
  { since, resets, from, maxRows = MAX_ROWS }: RatesQuestion,
): Promise<{ readonly rates: Map<string, SuccessRate>; readonly complete: boolean }> {
  const resetAt = Object.fromEntries(resets.map(({ workerId, at }) => [workerId, at]));
  const { results } = await db.prepare(RATES).bind(from, since, maxRows, JSON.stringify(resetAt)).all();
  const rates = new Map<string, SuccessRate>();
  let rows = 0;
  for (const { worker_id: id, ...rate } of groups.parse(results)) {
    rows += rate.results;
    if (id !== null) rates.set(id, rate);
  }
  return { rates, complete: rows < maxRows };
}
