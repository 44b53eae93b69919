import { createHash } from "node:crypto";
import { jsonObject } from "@batuta/worker/protocol";
import type { Context } from "hono";
import { z } from "zod";
import type { Client } from "../../access/clients.ts";
import type { Quota } from "../../access/quota.ts";
import { callObject } from "../../../durable-objects/shared/call-object.ts";
import type { CompleteBlueprint } from "../../blueprint/index.ts";
import { jsonBytes } from "../../job/state-history.ts";
import { MAX_INLINE_BYTES } from "../../limits.ts";
import { traceContext } from "../../observability/trace-context.ts";
import { readSettings } from "../../settings/settings.ts";
import { readJson } from "../body.ts";
import type { HttpEnv } from "../http-env.ts";
import { Problem } from "../problem.ts";

const MAX_KEY_CHARS = 255;

/** The later generation wraps the input; a body is taken as a wrapper only when nothing else is in it. */
const envelope = z.strictObject({
  initial_data: jsonObject,
  metadata: z.unknown().optional(),
});

function inputOf(bp: CompleteBlueprint, body: unknown): unknown {
  const wrapped = envelope.safeParse(body);
  const given = wrapped.success ? wrapped.data.initial_data : body;
  const parsed = (bp.input ?? jsonObject).safeParse(given);
  if (!parsed.success) {
    const details = parsed.error.issues.map((issue) => ({ path: issue.path.join("."), message: issue.message }));
    throw new Problem(
      400,
      "bad_request",
      `Input validation failed for blueprint '${bp.name}': ${z.prettifyError(parsed.error)}`,
      { details },
    );
  }
  const bytes = jsonBytes(parsed.data);
  if (bytes > MAX_INLINE_BYTES) {
    throw new Problem(
      413,
      "body_too_large",
      `The job's input is ${bytes} bytes; ${MAX_INLINE_BYTES} are allowed. Send references to large data instead of the data.`,
    );
  }
  return parsed.data;
}

/** The same key of the same client is always the same job: its id is made of both, so no table of keys is needed. */
function idFor(client: string, key: string | undefined): string {
  if (key === undefined) return crypto.randomUUID();
  if (key.length === 0 || key.length > MAX_KEY_CHARS) {
    throw new Problem(400, "bad_request", `Idempotency-Key must have 1 to ${MAX_KEY_CHARS} characters.`);
  }
  const digest = createHash("sha256").update(`${client}\n${key}`).digest("hex");
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-a${digest.slice(17, 20)}-${digest.slice(20, 32)}`;
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

/** `POST /api/{version}/{endpoint}`: creates a job of this blueprint. Answered 202 once the job will survive any crash. */
export function createJobRoute(bp: CompleteBlueprint) {
  return async (c: Context<HttpEnv>): Promise<Response> => {
    const { maintenance, drain } = await readSettings(c.env);
    if (maintenance || drain) {
      const why = maintenance ? "is in maintenance" : "is being drained";
      throw new Problem(503, "maintenance", `The server ${why} and takes no new jobs. Try again later.`, {
        headers: { "Retry-After": "60" },
      });
    }
    const client = c.get("client");
    const key = c.req.header("Idempotency-Key");
    const id = idFor(client.name, key);
    const initialData = inputOf(bp, await readJson(c.req.raw));
    const requestDigest =
      key === undefined
        ? ""
        : createHash("sha256")
            .update(`${bp.name}\n${JSON.stringify(initialData)}`)
            .digest("hex");
    const { name, plan, params, quota } = client;
    if (quota !== undefined) {
      // A repeated request makes no job, so it must not be refused for want of quota.
      const repeated =
        key !== undefined && (await callObject(c.env.JOBS, id, (job) => job.createdBefore(requestDigest))) !== null;
      if (!repeated) await spendQuota(c, client, quota);
    }
    const tracing = traceContext(c.req.header("traceparent") ?? null);
    const created = await callObject(c.env.JOBS, id, (job) =>
      job.create(bp.name, { id, client: { name, plan, params }, initialData, requestDigest, tracing }),
    );
    if (created === "conflict") {
      throw new Problem(
        409,
        "conflict",
        "This Idempotency-Key was used for another request. Use a new key for a new job.",
      );
    }
    return Response.json({ status: "accepted", job_id: id }, { status: 202 });
  };
}
