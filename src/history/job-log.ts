import { and, asc, eq, getTableColumns, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { MAX_PAGE } from "../limits.ts";
import { pageOf, readCursor } from "./cursor.ts";
import { jobLogs, jobs } from "./schema.ts";

/** Which lines of a job's log are meant. */
export interface LogListing {
  readonly jobId: string;
  readonly client: string;
  /** Only those of this task. */
  readonly taskId?: string | undefined;
  /** Lines of the page, at least 1; more than `MAX_PAGE` are never given. */
  readonly limit: number;
  /** Where the page before ended (`nextCursor`). */
  readonly cursor?: string | undefined;
}

const { job_id: _, line: _line, ...shown } = getTableColumns(jobLogs);

/** A line as its client sees it. `at` is epoch ms by the worker's clock. */
export type LoggedLine = Omit<typeof jobLogs.$inferSelect, "job_id" | "line">;

/** The place of a line in its job's log, as a cursor names it beside its time. */
function placeOf({ task_id, line }: { readonly task_id: string; readonly line: string }): string {
  return `${task_id}.${line}`;
}

/** Where the page before ended. A line's own name has no dot in it, a task's id may. */
function positionIn(cursor: string): { at: number; taskId: string; line: string } | undefined {
  const position = readCursor(cursor);
  const dot = position?.id.lastIndexOf(".") ?? -1;
  if (position === undefined || dot < 1) return undefined;
  return { at: position.at, taskId: position.id.slice(0, dot), line: position.id.slice(dot + 1) };
}

/**
 * The log of a job, oldest line first; empty when the job is not the client's or nothing has reached history yet.
 * @returns the page, or undefined when the cursor is not one of ours; `nextCursor` is null on the last page
 */
export async function jobLog(
  db: D1Database,
  { jobId, client, taskId, limit, cursor }: LogListing,
): Promise<{ lines: LoggedLine[]; nextCursor: string | null } | undefined> {
  const after = cursor === undefined ? null : positionIn(cursor);
  if (after === undefined) return undefined;
  const most = Math.min(limit, MAX_PAGE);
  const rows = await drizzle(db)
    .select({ ...shown, line: jobLogs.line })
    .from(jobLogs)
    .where(
      and(
        eq(jobLogs.job_id, jobId),
        sql`EXISTS (SELECT 1 FROM ${jobs} WHERE ${jobs.job_id} = ${jobId} AND ${jobs.client} = ${client})`,
        after === null
          ? undefined
          : sql`(${jobLogs.at}, ${jobLogs.task_id}, ${jobLogs.line}) > (${after.at}, ${after.taskId}, ${after.line})`,
        taskId === undefined ? undefined : eq(jobLogs.task_id, taskId),
      ),
    )
    .orderBy(asc(jobLogs.at), asc(jobLogs.task_id), asc(jobLogs.line))
    .limit(most + 1);
  const { page, nextCursor } = pageOf(rows, most, (row) => ({ at: row.at, id: placeOf(row) }));
  return { lines: page.map(({ line: _own, ...line }) => line), nextCursor };
}
