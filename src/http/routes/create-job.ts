import { createHash } from "node:crypto";
import type { Context } from "hono";
import type { Client } from "../../access/clients.ts";
import type { Quota } from "../../access/quota.ts";
import type { CompleteBlueprint } from "../../blueprint/index.ts";
import { jobIdFrom } from "../../job/job-id.ts";
import { callObject } from "../../../durable-objects/shared/call-object.ts";
import { archivedBefore } from "../../history/archive.ts";
import { webhookTarget } from "../../notices/target.ts";
import { traceContext } from "../../observability/trace-context.ts";
import { regionOf } from "../../registry/regions.ts";
import { readSettings } from "../../settings/settings.ts";
import { readJson } from "../body.ts";
import { canonicalJson } from "../canonical-json.ts";
import { checkInput, readCreateRequest, type CreateRequest } from "../create-request.ts";
import type { HttpEnv } from "../http-env.ts";
import { checkIdempotencyKey } from "../idempotency-key.ts";
import { Problem } from "../problem.ts";

/** The same key of the same client is always the same job: its id is made of both, so no table of keys is needed. */
function idFor(client: string, key: string | undefined): string {
  if (key === undefined) return crypto.randomUUID();
  return jobIdFrom(
    createHash("sha256")
      .update(`${client}\n${checkIdempotencyKey(key)}`)
      .digest("hex"),
  );
}

/** Tells a repeated request from another one. Of what was sent, not of what defaults made of it: they may change. */
function digestOf(bp: CompleteBlueprint, request: CreateRequest): string {
  return createHash("sha256")
    .update(canonicalJson({ blueprint: bp.name, ...request }))
    .digest("hex");
}

async function spendQuota(c: Context<HttpEnv>, { name }: Client, quota: Quota): Promise<void> {
  const answer = await c.env.CLIENTS.getByName(name).spend(quota, Date.now());
  if (answer.ok) return;
  const wait = Math.max(1, Math.ceil((answer.resetsAt - Date.now()) / 1000));
  throw new Problem(
    429,
    "quota_exceeded",
    `Quota exceeded: ${quota.limit} jobs a ${quota.period}. It is refilled at ${new Date(answer.resetsAt).toISOString()}.`,
    {
      headers: { "Retry-After": String(wait) },
    },
  );
}

/** @throws {Problem} 503 while no new jobs are taken */
export async function requireOpen(c: Context<HttpEnv>): Promise<void> {
  const { maintenance, drain } = await readSettings(c.env);
  if (!maintenance && !drain) return;
  const why = maintenance ? "is in maintenance" : "is being drained";
  throw new Problem(503, "maintenance", `The server ${why} and takes no new jobs. Try again later.`, {
    headers: { "Retry-After": "60" },
  });
}

/**
 * Creates a job for the client of the request; when this returns, the job will survive any crash.
 * @param key the request's idempotency key: the same request again is the same job
 * @returns the job's id
 * @throws {Problem} 400, 409 for a key of another request, 413, 429
 */
export async function createForClient(
  c: Context<HttpEnv>,
  bp: CompleteBlueprint,
  request: CreateRequest,
  key: string | undefined,
): Promise<string> {
  const client = c.get("client");
  const id = idFor(client.name, key);
  const initialData = checkInput(bp, request.initialData);
  const target = webhookTarget(client, request.webhookUrl, c.get("settings"));
  if (!target.ok) throw new Problem(400, "bad_request", target.error);
  const requestDigest = key === undefined ? "" : digestOf(bp, request);
  const { name, plan, params, quota } = client;
  const archived = key === undefined ? null : await archivedBefore(c.env.PAYLOADS, id, requestDigest);
  if (archived === "conflict") throw keyUsed();
  if (archived === "existing") return id;
  if (quota !== undefined) {
    // A repeated request makes no job, so it must not be refused for want of quota.
    const repeated =
      key !== undefined && (await callObject(c.env.JOBS, id, (job) => job.createdBefore(requestDigest))) !== null;
    if (!repeated) await spendQuota(c, client, quota);
  }
  const { metadata, files, startAt, dispatchTimeoutSeconds, resultTimeoutSeconds } = request;
  const created = await callObject(c.env.JOBS, id, (job) =>
    job.create(bp.name, {
      id,
      client: { name, plan, params },
      initialData,
      requestDigest,
      tracing: traceContext(c.req.header("traceparent") ?? null),
      webhookUrl: target.url,
      region: client.region ?? regionOf(c.req.raw.cf),
      startAt,
      ...(metadata === null ? {} : { metadata }),
      ...(files === undefined ? {} : { files }),
      ...(dispatchTimeoutSeconds === null ? {} : { dispatchTimeoutSeconds }),
      ...(resultTimeoutSeconds === null ? {} : { resultTimeoutSeconds }),
    }),
  );
  if (created === "conflict") throw keyUsed();
  return id;
}

function keyUsed(): Problem {
  return new Problem(
    409,
    "conflict",
    "This Idempotency-Key was used for another request. Use a new key for a new job.",
  );
}

/** `POST /api/{version}/{endpoint}`: creates a job of this blueprint. */
export function createJobRoute(bp: CompleteBlueprint) {
  return async (c: Context<HttpEnv>): Promise<Response> => {
    await requireOpen(c);
    const request = readCreateRequest(await readJson(c.req.raw), Date.now());
    const id = await createForClient(c, bp, request, c.req.header("Idempotency-Key"));
    return c.json({ status: "accepted", job_id: id }, 202);
  };
}
