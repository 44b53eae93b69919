import { Hono } from "hono";
import { z } from "zod";
import { callObject } from "../../../durable-objects/shared/call-object.ts";
import { jobLog } from "../../history/job-log.ts";
import { jobHistory, listJobs } from "../../history/queries.ts";
import { settingsPatch } from "../../settings/deployment-settings.ts";
import { changeSettings, readSettings } from "../../settings/settings.ts";
import { checkBody, readJson } from "../body.ts";
import type { HttpEnv } from "../http-env.ts";
import { listedJobs, pageQuery, turnPage, whole } from "../page.ts";
import { Problem } from "../problem.ts";
import { requireAdmin } from "../require-admin.ts";
import { tellShards } from "../shards.ts";
import { viewJob } from "../view-job.ts";
import { batchApi } from "./batch.ts";
import { explainArchived } from "../../job/explain.ts";
import { jobCommands, jobIdOf } from "./job-commands.ts";
import { quarantineApi } from "./quarantine.ts";
import { workersApi } from "./workers.ts";

const listing = z.object({
  ...pageQuery,
  offset: whole.optional(),
  status: z.string().optional(),
  blueprint: z.string().optional(),
  parent_id: z.string().optional(),
});

const logQuery = z.object({ ...pageQuery, task_id: z.string().optional() });

/** The routes below `/api/{version}` that every version has (spec §5). All need a client's token. */
export const clientApi = new Hono<HttpEnv>()
  // Before the job's own path, which `quarantined` would fit as well.
  .route("/", quarantineApi)
  .route("/", jobCommands)
  .route("/", batchApi)
  .route("/", workersApi)
  .get("/jobs", async (c) => {
    const { parent_id: parentId, ...query } = checkBody(listing, c.req.query(), "query");
    const page = await listJobs(c.env.HISTORY_DB, { client: c.get("client").name, parentId, ...query });
    return c.json(listedJobs(turnPage(c, page).jobs));
  })
  .get("/jobs/:job_id", async (c) => {
    return c.json(await viewJob(c, c.req.param("job_id")));
  })
  .get("/jobs/:job_id/explain", async (c) => {
    const jobId = jobIdOf(c);
    const { name } = c.get("client");
    const explanation = await callObject(c.env.JOBS, jobId, (object) => object.explain(name));
    return c.json(explanation ?? explainArchived(await viewJob(c, jobId)));
  })
  .get("/jobs/:job_id/history", async (c) => {
    const jobId = c.req.param("job_id");
    const rows = await jobHistory(c.env.HISTORY_DB, jobId, c.get("client").name);
    if (rows.length > 0) return c.json(rows);
    // History follows a moment behind: a job without events yet is not an unknown job.
    await viewJob(c, jobId);
    return c.json([]);
  })
  .get("/jobs/:job_id/logs", async (c) => {
    const jobId = c.req.param("job_id");
    const { task_id: taskId, ...query } = checkBody(logQuery, c.req.query(), "query");
    const page = await jobLog(c.env.HISTORY_DB, { jobId, client: c.get("client").name, taskId, ...query });
    const { lines } = turnPage(c, page);
    // A job without lines yet is not an unknown job.
    if (lines.length === 0) await viewJob(c, jobId);
    return c.json(lines);
  })
  .post("/admin/reload-workers", async (c) => {
    requireAdmin(c.get("client"));
    const outcome = await c.get("source").reload();
    // Whatever is wrong with another file, limits that are right count at once.
    await tellShards(c, (shard) => shard.readPolicy());
    if (!outcome.ok) throw new Problem(400, "configuration_error", outcome.error);
    return c.json({ status: "worker_configs_reloaded" });
  })
  .get("/admin/settings", async (c) => {
    requireAdmin(c.get("client"));
    return c.json(await readSettings(c.env));
  })
  .patch("/admin/settings", async (c) => {
    requireAdmin(c.get("client"));
    return c.json(await changeSettings(c.env, checkBody(settingsPatch, await readJson(c.req.raw), "settings")));
  });
