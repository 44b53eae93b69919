import { and, asc, gt, isNull, sql, type SQL } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { z } from "zod";
import { jobs } from "./schema.ts";

/** How many job ids a group shows. */
const SHOWN_IDS = 3;

const group = z.object({
  blueprint: z.string(),
  blueprint_version: z.number(),
  current_state: z.string(),
  count: z.number(),
  /** Some of them. */
  job_ids: z.string().transform((json) => z.array(z.string()).parse(JSON.parse(json))),
});

/** Live jobs of one version of a blueprint that are in the same state. */
export type LiveGroup = z.infer<typeof group>;

// Each live job is looked at, found by the index that holds only those.
const GROUPS = `
SELECT
  blueprint, blueprint_version, current_state, COUNT(*) AS count,
  json_group_array(job_id ORDER BY job_id) FILTER (WHERE place <= ${SHOWN_IDS}) AS job_ids
FROM (
  SELECT
    blueprint, blueprint_version, current_state, job_id,
    ROW_NUMBER() OVER (PARTITION BY blueprint, blueprint_version, current_state ORDER BY job_id) AS place
  FROM jobs INDEXED BY jobs_alive
  WHERE finished_at IS NULL
)
GROUP BY blueprint, blueprint_version, current_state
ORDER BY blueprint, blueprint_version, current_state`;

/**
 * The live jobs of all clients by blueprint, version and state. There are as many groups as versions and states are in
 * use; all are given, since whoever asks wants to know that none is missing. The count is a second or two behind the jobs.
 */
export async function liveGroups(db: D1Database): Promise<LiveGroup[]> {
  const { results } = await db.prepare(GROUPS).all();
  return z.array(group).parse(results);
}

/** A live job of an earlier version of its blueprint. */
export type OutdatedJob = Pick<
  typeof jobs.$inferSelect,
  "job_id" | "blueprint" | "blueprint_version" | "current_state"
>;

/** One page; `remaining` counts what comes after it. */
export interface OutdatedPage {
  readonly jobs: readonly OutdatedJob[];
  readonly remaining: number;
}

/** Live jobs of a version below the one that `versions` has for their blueprint. */
function outdated(versions: ReadonlyMap<string, number>, after: string): SQL | undefined {
  const deployed = JSON.stringify(Object.fromEntries(versions));
  return and(
    isNull(jobs.finished_at),
    gt(jobs.job_id, after),
    sql`EXISTS (SELECT 1 FROM json_each(${deployed}) WHERE key = ${jobs.blueprint} AND value > ${jobs.blueprint_version})`,
  );
}

/**
 * The live jobs of all clients that were made by an earlier version of their blueprint, in the order of their ids.
 * @param versions the present version of each blueprint that is meant
 * @param after the last id of the page before; empty for the first page
 */
export async function outdatedJobs(
  db: D1Database,
  versions: ReadonlyMap<string, number>,
  after: string,
  limit: number,
): Promise<OutdatedPage> {
  const where = outdated(versions, after);
  const orm = drizzle(db);
  const [page, count] = await Promise.all([
    orm
      .select({
        job_id: jobs.job_id,
        blueprint: jobs.blueprint,
        blueprint_version: jobs.blueprint_version,
        current_state: jobs.current_state,
      })
      .from(jobs)
      .where(where)
      .orderBy(asc(jobs.job_id))
      .limit(limit),
    orm.$count(jobs, where),
  ]);
  return { jobs: page, remaining: Math.max(0, count - page.length) };
}
