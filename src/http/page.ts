import type { Context } from "hono";
import { z } from "zod";
import type { JobPage } from "../history/queries.ts";
import { MAX_PAGE } from "../limits.ts";
import type { HttpEnv } from "./http-env.ts";
import { Problem } from "./problem.ts";

export const whole = z.string().regex(/^\d+$/, "must be a whole number, 0 or more").transform(Number);

/** The members of a query that choose a page of a listing. */
export const pageQuery = {
  limit: whole.pipe(z.number().min(1).max(MAX_PAGE)).default(100),
  cursor: z.string().optional(),
};

/**
 * Says in a header where the next page begins.
 * @throws {Problem} 400 when the page is undefined, for then its cursor is not one of ours
 */
export function turnPage<Page extends { nextCursor: string | null }>(
  c: Context<HttpEnv>,
  page: Page | undefined,
): Page {
  if (page === undefined)
    throw new Problem(400, "bad_request", "Invalid cursor: use the X-Next-Cursor header of the page before.");
  if (page.nextCursor !== null) c.header("X-Next-Cursor", page.nextCursor);
  return page;
}

/** Jobs of a listing as answers show them. */
export function listedJobs(jobs: JobPage["jobs"]) {
  return jobs.map(({ job_id: id, ...job }) => ({ id, ...job }));
}
