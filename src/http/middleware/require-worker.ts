import { identifier } from "@batuta/worker/protocol";
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { z } from "zod";
import { readWorkerToken } from "../../access/credentials.ts";
import { authenticateWorker } from "../../access/workers.ts";
import { readJson } from "../body.ts";
import type { HttpEnv } from "../http-env.ts";
import { Problem } from "../problem.ts";

const withWorkerId = z.looseObject({ worker_id: z.string().min(1).optional() });

async function check(c: Context<HttpEnv>, workerId: string | undefined): Promise<string> {
  const workers = await c.get("source").workers();
  if (!workers.ok) throw new Problem(500, "configuration_error", workers.error);
  const token = readWorkerToken(c.req.raw.headers);
  const global = c.get("settings").globalWorkerToken;
  const known = authenticateWorker(workers.value, global, workerId, token);
  if (!known.ok) throw new Problem(401, "unauthorized", known.error);
  if (workerId === undefined) throw new Problem(400, "bad_request", "Missing required field: worker_id");
  if (!identifier.safeParse(workerId).success) {
    throw new Problem(400, "bad_request", "worker_id must be 1 to 128 letters, digits, '_' or '-'.");
  }
  return workerId;
}

/** Lets a worker through whose token fits the id in the path. */
export const requireWorkerInPath = createMiddleware<HttpEnv>(async (c, next) => {
  c.set("workerId", await check(c, c.req.param("worker_id")));
  await next();
});

/** Lets a worker through whose token fits the `worker_id` in the body. */
export const requireWorkerInBody = createMiddleware<HttpEnv>(async (c, next) => {
  if (readWorkerToken(c.req.raw.headers) === undefined) {
    throw new Problem(401, "unauthorized", "Missing X-Worker-Token header");
  }
  const body = await readJson(c.req.raw);
  const parsed = withWorkerId.safeParse(body);
  if (!parsed.success) {
    throw new Problem(400, "bad_json", "Invalid JSON body", {
      details: "The body must be a JSON object whose worker_id is a text.",
    });
  }
  c.set("workerId", await check(c, parsed.data.worker_id));
  c.set("body", body);
  await next();
});
