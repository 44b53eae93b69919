import { identifier } from "@batuta/worker/protocol";
import type { Context } from "hono";
import { callObject } from "../../durable-objects/shared/call-object.ts";
import { readArchivedJob } from "../history/archive.ts";
import type { HttpEnv } from "./http-env.ts";
import { jobNotFound } from "./problem.ts";

/**
 * A job as its client sees it, live or from the archive.
 * @throws {Problem} 404 when there is no such job, or it is another client's
 */
export async function viewJob(c: Context<HttpEnv>, jobId: string) {
  if (!identifier.safeParse(jobId).success) throw jobNotFound();
  const { name } = c.get("client");
  const job = await callObject(c.env.JOBS, jobId, (object) => object.view(name));
  if (job !== null) return job;
  const archived = await readArchivedJob(c.env.PAYLOADS, jobId, name);
  if (archived === null) throw jobNotFound();
  return archived;
}
