import { identifier } from "@batuta/worker/protocol";
import { type Context, Hono } from "hono";
import { z } from "zod";
import { callObject } from "../../../durable-objects/shared/call-object.ts";
import { catalog } from "../../catalog.ts";
import { liveGroups, type OutdatedJob, outdatedJobs } from "../../history/live-states.ts";
import { fateOf } from "../../job/migrate.ts";
import { MAX_MIGRATION_BATCH } from "../../limits.ts";
import { log } from "../../observability/log.ts";
import { checkBody, readJsonOrNothing } from "../body.ts";
import type { HttpEnv } from "../http-env.ts";
import { mapLimit, PARALLEL_CALLS } from "../../../durable-objects/shared/map-limit.ts";
import { Problem } from "../problem.ts";
import { requireAdmin } from "../require-admin.ts";

const order = z.strictObject({
  blueprint: z.string().optional(),
  /** Only says what would happen. */
  dry_run: z.boolean().default(true),
  limit: z.int().min(1).max(MAX_MIGRATION_BATCH).default(MAX_MIGRATION_BATCH),
  /** Of the answer before. */
  cursor: identifier.nullish(),
});

/**
 * The present versions of the blueprints that are meant.
 * @throws {Problem} 404 when the blueprint is not deployed
 */
function versionsOf(blueprint: string | undefined): Map<string, number> {
  if (blueprint === undefined) return new Map([...catalog.values()].map(({ name, version }) => [name, version]));
  const bp = catalog.get(blueprint);
  if (bp !== undefined) return new Map([[bp.name, bp.version]]);
  const text = `Blueprint '${blueprint}' is not deployed, so its jobs cannot be migrated. Deploy it again, or cancel them.`;
  throw new Problem(404, "not_found", text);
}

/** What the deployed version makes of a job. */
function outcomeFor({ job_id, blueprint, blueprint_version: version, current_state: state }: OutdatedJob) {
  const bp = catalog.get(blueprint) ?? null;
  const fate = fateOf(bp, version, state);
  return { job_id, blueprint, from_version: version, to_version: bp?.version ?? null, state, ...fate };
}

/**
 * Starts the job's object, which brings its job to the present version by itself.
 * @returns what to add to the answer
 */
async function wake(c: Context<HttpEnv>, jobId: string): Promise<{ error?: string }> {
  try {
    await callObject(c.env.JOBS, jobId, (job) => job.wake());
    return {};
  } catch (error) {
    log(c.get("settings"), "ERROR", "http.failed", { method: "POST", path: c.req.path, error: String(error) });
    return {
      error: "The job could not be reached. Ask again; it also migrates by itself when it next does something.",
    };
  }
}

/** Changed blueprints and the jobs of their earlier versions, below `/api/{version}`. For operators. */
export const versionsApi = new Hono<HttpEnv>()
  .get("/admin/live-jobs", async (c) => {
    requireAdmin(c.get("client"));
    const blueprints = [...catalog.values()].map(({ name, version, states }) => ({ name, version, states }));
    return c.json({ blueprints, jobs: await liveGroups(c.env.HISTORY_DB) });
  })
  .post("/admin/migrate", async (c) => {
    requireAdmin(c.get("client"));
    const given = checkBody(order, (await readJsonOrNothing(c.req.raw)) ?? {}, "order");
    const { dry_run: dryRun, limit, cursor } = given;
    const versions = versionsOf(given.blueprint);
    const { jobs, remaining } = await outdatedJobs(c.env.HISTORY_DB, versions, cursor ?? "", limit);
    const told = await mapLimit(jobs, PARALLEL_CALLS, async (job) => ({
      ...outcomeFor(job),
      ...(dryRun ? {} : await wake(c, job.job_id)),
    }));
    const nextCursor = remaining === 0 ? null : (jobs.at(-1)?.job_id ?? null);
    return c.json({ dry_run: dryRun, jobs: told, remaining, next_cursor: nextCursor });
  });
