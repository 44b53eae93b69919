import { z } from "zod";

/** Rows looked at in one review: it bounds what a review costs and how long it takes, however long the history is. */
const MAX_ROWS = 300_000;

/** Workers whose rate is less than 1, in one answer. */
const MAX_WORKERS = 20_000;

/**
 * Ids of jobs are random, so that the rows after a random id are a fair sample of all; a history with fewer rows than
 * the limit is looked at as a whole. A result that was cancelled, or failed for its input, says nothing of its worker.
 */
const RATES = `
WITH
  resets AS MATERIALIZED (SELECT value ->> 'workerId' AS worker_id, value ->> 'at' AS at FROM json_each(?4)),
  sample AS (
    SELECT worker_id, event_type, error, created_at, context_snapshot FROM job_events WHERE job_id >= ?1
    UNION ALL
    SELECT worker_id, event_type, error, created_at, context_snapshot FROM job_events WHERE job_id < ?1
    LIMIT ?3
  )
SELECT sample.worker_id AS worker_id, avg(sample.error IS NULL) AS rate
FROM sample LEFT JOIN resets ON resets.worker_id = sample.worker_id
WHERE sample.event_type = 'task_finished'
  AND sample.worker_id IS NOT NULL
  AND sample.created_at >= ?2
  AND sample.created_at > coalesce(resets.at, 0)
  AND coalesce(sample.context_snapshot ->> 'outcome', '') <> 'cancelled'
  AND coalesce(sample.error, '') NOT LIKE 'INVALID_INPUT_ERROR:%'
GROUP BY sample.worker_id
HAVING rate < 1
LIMIT ${MAX_WORKERS}`;

const rows = z.array(z.object({ worker_id: z.string(), rate: z.number() }));

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
 * The share of successes among the results of each worker, branches of fan-outs included, where it is less than 1.
 * @throws what D1 throws
 */
export async function successRates(
  db: D1Database,
  { since, resets, from, maxRows = MAX_ROWS }: RatesQuestion,
): Promise<Map<string, number>> {
  const { results } = await db.prepare(RATES).bind(from, since, maxRows, JSON.stringify(resets)).all();
  return new Map(rows.parse(results).map(({ worker_id: id, rate }) => [id, rate]));
}
