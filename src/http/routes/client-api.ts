import { identifier, jsonObject, type JsonObject } from "@batuta/worker/protocol";
import { type Context, Hono } from "hono";
import { z } from "zod";
import { callObject } from "../../../durable-objects/shared/call-object.ts";
import { jobHistory, listJobs } from "../../history/queries.ts";
import { MAX_PAGE } from "../../limits.ts";
import { SHARDS } from "../../registry/shards.ts";
import { settingsPatch } from "../../settings/deployment-settings.ts";
import { changeSettings, readSettings } from "../../settings/settings.ts";
import { checkBody, readJson } from "../body.ts";
import type { HttpEnv } from "../http-env.ts";
import { Problem } from "../problem.ts";

const whole = z.string().regex(/^\d+$/, "must be a whole number, 0 or more").transform(Number);

const listing = z.object({
  limit: whole.pipe(z.number().min(1).max(MAX_PAGE)).default(100),
  offset: whole.optional(),
  cursor: z.string().optional(),
  status: z.string().optional(),
  blueprint: z.string().optional(),
});

function requireAdmin(client: { readonly admin: boolean }): void {
  if (!client.admin)
    throw new Problem(403, "forbidden", "Only a client with admin = true in clients.toml may do this.");
}

/** Where a worker runs is the operator's business, not every client's. */
function withoutAddress({ hostname: _host, ip_address: _ip, capabilities, ...rest }: JsonObject): JsonObject {
  const inner = jsonObject.safeParse(capabilities);
  return inner.success ? { ...rest, capabilities: withoutAddress(inner.data) } : rest;
}

function jobNotFound(): Problem {
  return new Problem(404, "job_not_found", "Job not found");
}

/** @throws {Problem} 404 when there is no such job, or it is another client's */
async function viewJob(c: Context<HttpEnv>, jobId: string) {
  const job = identifier.safeParse(jobId).success
    ? await callObject(c.env.JOBS, jobId, (object) => object.view(c.get("client").name))
    : null;
  if (job === null) throw jobNotFound();
  return job;
}

/** The routes below `/api/{version}` that every version has (spec §5). All need a client's token. */
export const clientApi = new Hono<HttpEnv>()
  .get("/jobs", async (c) => {
    const query = checkBody(listing, c.req.query(), "query");
    const page = await listJobs(c.env.HISTORY_DB, { client: c.get("client").name, ...query });
    if (page === undefined)
      throw new Problem(400, "bad_request", "Invalid cursor: use the X-Next-Cursor header of the page before.");
    if (page.nextCursor !== null) c.header("X-Next-Cursor", page.nextCursor);
    return c.json(page.jobs.map(({ job_id: id, ...job }) => ({ id, ...job })));
  })
  .get("/jobs/:job_id", async (c) => {
    return c.json(await viewJob(c, c.req.param("job_id")));
  })
  .get("/jobs/:job_id/history", async (c) => {
    const jobId = c.req.param("job_id");
    const rows = await jobHistory(c.env.HISTORY_DB, jobId, c.get("client").name);
    if (rows.length > 0) return c.json(rows);
    // History follows a moment behind: a job without events yet is not an unknown job.
    await viewJob(c, jobId);
    return c.json([]);
  })
  .post("/jobs/:job_id/cancel", async (c) => {
    const jobId = c.req.param("job_id");
    if (!identifier.safeParse(jobId).success) throw jobNotFound();
    const outcome = await callObject(c.env.JOBS, jobId, (object) => object.cancel(c.get("client").name));
    if (outcome === "not_found") throw jobNotFound();
    if (outcome === "ended") throw new Problem(409, "conflict", "The job has ended already; it cannot be cancelled.");
    return c.json({ status: "cancellation_request_accepted" });
  })
  .get("/workers", async (c) => {
    const lists = await Promise.all(
      SHARDS.map((shard) => callObject(c.env.REGISTRY, shard, (registry) => registry.workers())),
    );
    const workers = z.array(jsonObject).parse(lists.flat());
    return c.json(c.get("client").admin ? workers : workers.map(withoutAddress));
  })
  .post("/admin/reload-workers", async (c) => {
    requireAdmin(c.get("client"));
    const outcome = await c.get("source").reload();
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
