import { and, desc, eq, gte, sql, type SQL } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { z } from "zod";
import { MAX_PAGE } from "../limits.ts";
import { pageOf, readCursor } from "./cursor.ts";
import { type JobPage, listed } from "./queries.ts";
import { jobs } from "./schema.ts";

/** Which of a client's quarantined jobs are meant. What is left out does not narrow the choice. */
export interface QuarantineFilter {
  client: string;
  blueprint?: string | undefined;
  /** The blueprint's state the job is in. */
  state?: string | undefined;
  fingerprint?: string | undefined;
  jobIds?: readonly string[] | undefined;
  /** Quarantined or changed then or later, epoch ms. */
  since?: number | undefined;
  /** Where the page before ended. */
  cursor?: string | undefined;
}

/** How many job ids a group shows. */
const SHOWN_IDS = 3;

/**
 * The condition that selects the jobs.
 * @returns undefined when the cursor is not one of ours
 */
function selects(filter: QuarantineFilter): SQL | undefined {
  const after = filter.cursor === undefined ? null : readCursor(filter.cursor);
  if (after === undefined) return undefined;
  return and(
    // A literal, for an index with a condition is not used when the value comes later.
    sql`${jobs.status} = 'quarantined'`,
    eq(jobs.client, filter.client),
    filter.since === undefined ? undefined : gte(jobs.updated_at, filter.since),
    after === null ? undefined : sql`(${jobs.updated_at}, ${jobs.job_id}) < (${after.at}, ${after.id})`,
    filter.blueprint === undefined ? undefined : eq(jobs.blueprint, filter.blueprint),
    filter.state === undefined ? undefined : eq(jobs.current_state, filter.state),
    filter.fingerprint === undefined ? undefined : eq(jobs.fingerprint, filter.fingerprint),
    filter.jobIds === undefined
      ? undefined
      : sql`${jobs.job_id} IN (SELECT value FROM json_each(${JSON.stringify(filter.jobIds)}))`,
  );
}

/**
 * Quarantined jobs of a client, the newest in quarantine first. The list is a second or two behind the jobs.
 * @param limit at least 1; more than `MAX_PAGE` are never given
 * @returns the page, or undefined when the cursor is not one of ours
 */
export async function listQuarantined(
  db: D1Database,
  filter: QuarantineFilter,
  limit: number,
): Promise<JobPage | undefined> {
  const where = selects(filter);
  if (where === undefined) return undefined;
  const most = Math.min(limit, MAX_PAGE);
  const rows = await drizzle(db)
    .select(listed)
    .from(jobs)
    .where(where)
    .orderBy(desc(jobs.updated_at), desc(jobs.job_id))
    .limit(most + 1);
  const { page, nextCursor } = pageOf(rows, most, (job) => ({ at: job.updated_at, id: job.job_id }));
  return { jobs: page, nextCursor };
}

/**
 * How many quarantined jobs a filter selects, those after its cursor.
 * @returns undefined when the cursor is not one of ours
 */
export async function countQuarantined(db: D1Database, filter: QuarantineFilter): Promise<number | undefined> {
  const where = selects(filter);
  return where === undefined ? undefined : await drizzle(db).$count(jobs, where);
}

const group = z.object({
  blueprint: z.string(),
  state: z.string(),
  fingerprint: z.string().nullable(),
  count: z.number(),
  /** The newest one's. */
  error: z.string().nullable(),
  first_seen: z.number(),
  last_seen: z.number(),
  /** The newest ones. */
  job_ids: z.string().transform((json) => z.array(z.string()).parse(JSON.parse(json))),
});

/** Quarantined jobs that have the same fault in the same place. Times are epoch ms. */
export type QuarantineGroup = z.infer<typeof group>;

const GROUPS = `
SELECT
  blueprint, current_state AS state, fingerprint, COUNT(*) AS count,
  MAX(error) FILTER (WHERE place = 1) AS error,
  MIN(updated_at) AS first_seen, MAX(updated_at) AS last_seen,
  json_group_array(job_id ORDER BY place) FILTER (WHERE place <= ${SHOWN_IDS}) AS job_ids
FROM (
  SELECT
    blueprint, current_state, fingerprint, error, updated_at, job_id,
    ROW_NUMBER() OVER (
      PARTITION BY blueprint, current_state, fingerprint ORDER BY updated_at DESC, job_id DESC
    ) AS place
  FROM jobs
  WHERE status = 'quarantined' AND client = ?
)
GROUP BY blueprint, current_state, fingerprint
ORDER BY count DESC, last_seen DESC
LIMIT ${MAX_PAGE}`;

/** A client's quarantined jobs by blueprint, state and kind of error, the largest group first. */
export async function quarantineGroups(db: D1Database, client: string): Promise<QuarantineGroup[]> {
  const { results } = await db.prepare(GROUPS).bind(client).all();
  return z.array(group).parse(results);
}
