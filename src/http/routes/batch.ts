import { Hono, type Context } from "hono";
import { z } from "zod";
import { catalog } from "../../catalog.ts";
import { MAX_BATCH_JOBS } from "../../limits.ts";
import { log } from "../../observability/log.ts";
import { checkBody, readJson } from "../body.ts";
import { envelopeMembers, fromEnvelope } from "../create-request.ts";
import type { HttpEnv } from "../http-env.ts";
import { mapLimit, PARALLEL_CALLS } from "../../../durable-objects/shared/map-limit.ts";
import { Problem, problemBody } from "../problem.ts";
import { createForClient, requireOpen } from "./create-job.ts";

const batch = z.strictObject({ jobs: z.array(z.unknown()).min(1).max(MAX_BATCH_JOBS) });

const batchJob = z.strictObject({
  blueprint: z.string(),
  initial_data: z.unknown().default({}),
  idempotency_key: z.string().nullish(),
  ...envelopeMembers,
});

async function createOne(c: Context<HttpEnv>, given: unknown): Promise<string> {
  const { blueprint, idempotency_key: key, ...envelope } = checkBody(batchJob, given, "job");
  const bp = catalog.get(blueprint);
  // One text for both: which blueprints there are for other jobs to run is not for clients to find out.
  if (bp === undefined || bp.api === null) {
    throw new Problem(
      404,
      "not_found",
      `Blueprint '${blueprint}' has no route, so clients cannot create its jobs. Name a blueprint that has an api endpoint.`,
    );
  }
  return await createForClient(c, bp, fromEnvelope(envelope, Date.now()), key ?? undefined);
}

/** One job's part of the answer. Whatever becomes of it, the client must learn what became of the others. */
async function answerOne(c: Context<HttpEnv>, given: unknown): Promise<object> {
  try {
    return { status: "accepted", job_id: await createOne(c, given) };
  } catch (error) {
    if (error instanceof Problem) return problemBody(error);
    log(c.get("settings"), "ERROR", "http.failed", { method: "POST", path: c.req.path, error: String(error) });
    return problemBody(new Problem(500, "internal", "Internal Server Error"));
  }
}

/** `POST /batch`: creates several jobs, each for itself: one that is refused does not touch the others. */
export const batchApi = new Hono<HttpEnv>().post("/batch", async (c) => {
  await requireOpen(c);
  const { jobs } = checkBody(batch, await readJson(c.req.raw), "batch");
  return c.json({ jobs: await mapLimit(jobs, PARALLEL_CALLS, (job) => answerOne(c, job)) });
});
