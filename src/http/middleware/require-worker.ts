import { identifier } from "@batuta/worker/protocol";
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { z } from "zod";
import { readWorkerId, readWorkerToken } from "../../access/credentials.ts";
import { checkSignature } from "../../access/message-signature.ts";
import { TAKEN_BEFORE, type SignedCall } from "../../access/seen-messages.ts";
import { identifyWorker, ownerOfToken, type WorkerIdentity, type WorkerKeys } from "../../access/worker-tokens.ts";
import { readGivenJson, readText } from "../body.ts";
import type { HttpEnv } from "../http-env.ts";
import { Problem } from "../problem.ts";

const withWorkerId = z.looseObject({ worker_id: z.string().optional() });

/** What this deployment knows of its workers' tokens. @throws {Problem} 500 for a file that cannot be used */
export async function workerKeys(c: Context<HttpEnv>): Promise<WorkerKeys> {
  const workers = await c.get("source").workers();
  if (!workers.ok) throw new Problem(500, "configuration_error", workers.error);
  const { globalWorkerToken: globalToken, signingSecret } = c.get("settings");
  return { directory: workers.value, globalToken, signingSecret };
}

/** The worker that a request names must be the one it comes from. */
function senderMismatch(path: string, sender: string, named: string): Problem {
  const text = path.endsWith("/tasks/result")
    ? `Forbidden: Authenticated worker '${sender}' cannot submit results for another worker '${named}'.`
    : "Immediate sender ID mismatch";
  return new Problem(403, "forbidden", text);
}

/** A worker whose short-lived token was renewed on the way goes on to sign with the one it was started with. */
function signingKeys(
  { directory, globalToken }: WorkerKeys,
  { workerId, shortLived, madeFrom }: Extract<WorkerIdentity, { ok: true }>,
  token: string,
): string[] {
  const startedWith = madeFrom ?? (directory.has(workerId ?? "") ? null : globalToken);
  return shortLived && startedWith !== null ? [token, startedWith] : [token];
}

/**
 * @param named the id in the path or the body
 * @throws {Problem} 401, 403 or 400, unless the request's token fits the worker it names
 */
async function check(c: Context<HttpEnv>, named: string | undefined): Promise<void> {
  const keys = await workerKeys(c);
  const token = readWorkerToken(c.req.raw.headers);
  const header = readWorkerId(c.req.raw.headers);
  const known = identifyWorker(keys, named ?? header, token, Date.now());
  if (!known.ok) {
    if (known.owner !== undefined && named !== undefined && c.req.path.endsWith("/tasks/result"))
      throw senderMismatch(c.req.path, known.owner, named);
    throw new Problem(known.status, known.status === 401 ? "unauthorized" : "forbidden", known.error);
  }
  const { workerId } = known;
  if (workerId === undefined) throw new Problem(400, "bad_request", "Missing required field: worker_id");
  if (!identifier.safeParse(workerId).success) {
    throw new Problem(400, "bad_request", "worker_id must be 1 to 128 letters, digits, '_' or '-'.");
  }
  if (header !== undefined && header !== workerId) throw senderMismatch(c.req.path, header, workerId);
  c.set("workerId", workerId);
  c.set("workerKeys", signingKeys(keys, known, token ?? ""));
}

/**
 * Whose socket it is that names no worker in its path: the one a header names, or the one that has the token for its own.
 * @returns undefined when it comes with the global token alone
 * @throws {Problem} 401 for a token that opens nothing
 */
export async function ownerOfNamelessSocket(c: Context<HttpEnv>): Promise<string | undefined> {
  const keys = await workerKeys(c);
  const token = readWorkerToken(c.req.raw.headers);
  const named = readWorkerId(c.req.raw.headers) ?? ownerOfToken(keys.directory, token ?? "");
  const known = identifyWorker(keys, named, token, Date.now());
  if (!known.ok) throw new Problem(known.status, known.status === 401 ? "unauthorized" : "forbidden", known.error);
  c.set("workerKeys", signingKeys(keys, known, token ?? ""));
  return identifier.safeParse(known.workerId).data;
}

/** Lets a worker through whose token fits the id in the path. */
export const requireWorkerInPath = createMiddleware<HttpEnv>(async (c, next) => {
  await check(c, c.req.param("worker_id"));
  await next();
});

/** Lets a worker through whose token fits the `worker_id` in the body, and, where that is asked for, its signature the body. */
export const requireWorkerInBody = createMiddleware<HttpEnv>(async (c, next) => {
  if (readWorkerToken(c.req.raw.headers) === undefined) {
    throw new Problem(401, "unauthorized", "Missing X-Worker-Token header");
  }
  const text = await readText(c.req.raw);
  const body = readGivenJson(text);
  const parsed = withWorkerId.safeParse(body);
  if (!parsed.success) {
    throw new Problem(400, "bad_json", "Invalid JSON body", {
      details: "The body must be a JSON object whose worker_id is a text.",
    });
  }
  if (parsed.data.worker_id === "") {
    throw new Problem(400, "bad_request", "worker_id must not be empty: 1 to 128 letters, digits, '_' or '-'.");
  }
  await check(c, parsed.data.worker_id);
  c.set("signed", requireSignature(c, text, body));
  c.set("body", body);
  await next();
});

/**
 * Where the deployment takes signed messages only, refuses any other.
 * @returns what the shard needs to know the message again; null where messages are not signed
 * @throws {Problem} 403 with Avtomatika's text
 */
export function requireSignature(c: Context<HttpEnv>, text: string, body: unknown): SignedCall | null {
  if (!c.get("settings").signedMessages) return null;
  const message = {
    text,
    body,
    isEvent: c.req.path.endsWith("/events"),
    workerId: c.get("workerId"),
    keys: c.get("workerKeys"),
  };
  const checked = checkSignature(message, Date.now());
  if (!checked.ok) throw new Problem(403, "not_signed", checked.error);
  return { signature: checked.signature, request: crypto.randomUUID() };
}

/**
 * A registration or a heartbeat says how a worker is now: an old one must not count again. Results and events count once by
 * their ids; progress and log lines of a minute ago do no harm.
 */
export function messageReplayed(): Problem {
  return new Problem(403, "not_signed", TAKEN_BEFORE);
}
