import { and, asc, desc, eq, getTableColumns, gt, isNull, lt, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { MAX_PAGE } from "../limits.ts";
import { pageOf, readCursor } from "./cursor.ts";
import { jobEvents, jobs } from "./schema.ts";

/** A job in a listing. Times are epoch ms. */
type ListedJob = Omit<typeof jobs.$inferSelect, "last_seq">;

/** An event in a job's history. */
export type JobHistoryRow = typeof jobEvents.$inferSelect;

/** Which jobs of a client to list. */
export interface JobListing {
  client: string;
  status?: string | undefined;
  blueprint?: string | undefined;
  /** The job whose children are meant. */
  parentId?: string | undefined;
  /** Rows of the page, at least 1; more than `MAX_PAGE` are never given. */
  limit: number;
  /** Where the page before ended (`nextCursor`): jobs created meanwhile do not shift the pages. */
  cursor?: string | undefined;
  /** Rows to skip. For clients of Avtomatika; a cursor costs less. */
  offset?: number | undefined;
}

const { last_seq: _, ...shown } = getTableColumns(jobs);

/** The columns of a listing. */
export const listed = shown;

/** One page. `nextCursor` is null on the last one. */
export interface JobPage {
  jobs: ListedJob[];
  nextCursor: string | null;
}

/**
 * The jobs of a client, newest first.
 * @returns the page, or undefined when the cursor is not one of ours.
 */
export async function listJobs(db: D1Database, listing: JobListing): Promise<JobPage | undefined> {
  const after = listing.cursor === undefined ? null : readCursor(listing.cursor);
  if (after === undefined) return undefined;
  const limit = Math.min(listing.limit, MAX_PAGE);
  const rows = await drizzle(db)
    .select(listed)
    .from(jobs)
    .where(
      and(
        eq(jobs.client, listing.client),
        after === null ? undefined : sql`(${jobs.created_at}, ${jobs.job_id}) < (${after.at}, ${after.id})`,
        // The rest is looked at row by row: an index for the status would be written anew at every change of it.
        listing.status === undefined ? undefined : eq(jobs.status, listing.status),
        listing.blueprint === undefined ? undefined : eq(jobs.blueprint, listing.blueprint),
        listing.parentId === undefined ? undefined : eq(jobs.parent_id, listing.parentId),
      ),
    )
    .orderBy(desc(jobs.created_at), desc(jobs.job_id))
    .limit(limit + 1)
    .offset(listing.offset ?? 0);
  const { page, nextCursor } = pageOf(rows, limit, (job) => ({ at: job.created_at, id: job.job_id }));
  return { jobs: page, nextCursor };
}

/** What happened to a job, in order; empty when it is not the client's or when nothing has reached history yet. */
export async function jobHistory(db: D1Database, jobId: string, client: string): Promise<JobHistoryRow[]> {
  return await drizzle(db)
    .select()
    .from(jobEvents)
    .where(and(eq(jobEvents.job_id, jobId), eq(jobEvents.client, client)))
    .orderBy(asc(jobEvents.seq));
}

/**
 * Some live jobs of which nothing was heard since `before` (epoch ms).
 * @param from where in the order of ids to begin: random ids, so a random place is a fair sample
 */
export async function quietJobs(db: D1Database, before: number, from: string, limit: number): Promise<string[]> {
  const rows = await drizzle(db)
    .select({ id: jobs.job_id })
    .from(jobs)
    .where(and(isNull(jobs.finished_at), gt(jobs.job_id, from), lt(jobs.updated_at, before)))
    .orderBy(asc(jobs.job_id))
    .limit(limit);
  return rows.map((row) => row.id);
}
