import { identifier } from "@batuta/worker/protocol";
import { Hono } from "hono";
import { z } from "zod";
import { readWorkerId, readWorkerToken } from "../../access/credentials.ts";
import {
  identifyWorker,
  issueTokens,
  ownerOfToken,
  readRefreshToken,
  type IssuedTokens,
} from "../../access/worker-tokens.ts";
import { readJsonOrNothing } from "../body.ts";
import type { HttpEnv } from "../http-env.ts";
import { workerKeys } from "../middleware/require-worker.ts";
import { Problem } from "../problem.ts";

const named = z.looseObject({ worker_id: z.string().min(1).optional() }).nullable();
const refreshing = z.looseObject({ refresh_token: z.string().min(1) });

function issued(tokens: IssuedTokens | null): IssuedTokens {
  if (tokens !== null) return tokens;
  const text =
    "This deployment gives out no short-lived tokens, as it has nothing to sign them with. Set SIGNING_SECRET, or keep using the worker's own token.";
  throw new Problem(501, "configuration_error", text);
}

/** Short-lived tokens for workers (reference D.9): got for a worker's token, and renewed without it. */
export const workerAuth = new Hono<HttpEnv>()
  .post("/auth/token", async (c) => {
    const keys = await workerKeys(c);
    const token = readWorkerToken(c.req.raw.headers);
    const body = named.safeParse(await readJsonOrNothing(c.req.raw));
    const claimed =
      readWorkerId(c.req.raw.headers) ?? body.data?.worker_id ?? ownerOfToken(keys.directory, token ?? "");
    const known = identifyWorker(keys, claimed, token, Date.now());
    if (!known.ok) throw new Problem(known.status, known.status === 401 ? "unauthorized" : "forbidden", known.error);
    if (known.shortLived) {
      throw new Problem(403, "forbidden", "Unauthorized: An access token gets no other tokens; use the refresh token.");
    }
    const workerId = identifier.safeParse(known.workerId);
    if (!workerId.success) {
      throw new Problem(
        400,
        "bad_request",
        "Name the worker in the header X-Worker-ID: 1 to 128 letters, digits, '_' or '-'.",
      );
    }
    // A deployment has but a digest of a worker's own token, and that worker may go on to sign with it.
    const told = c.get("settings").signedMessages && keys.directory.has(workerId.data) ? (token ?? null) : null;
    return c.json(issued(issueTokens(keys, workerId.data, Date.now(), told)), 200, { "Cache-Control": "no-store" });
  })
  .post("/auth/token/refresh", async (c) => {
    const keys = await workerKeys(c);
    const body = refreshing.safeParse(await readJsonOrNothing(c.req.raw));
    if (!body.success) throw new Problem(400, "bad_request", "Missing refresh_token in payload");
    if (keys.signingSecret === null) return c.json(issued(null));
    const read = readRefreshToken(keys, body.data.refresh_token, Date.now());
    if (read === null) throw new Problem(403, "forbidden", "Unauthorized: Invalid refresh token (not found)");
    const { owner, madeFrom = null } = read;
    const asked = readWorkerId(c.req.raw.headers) ?? owner;
    if (asked !== owner) throw new Problem(403, "forbidden", "Unauthorized: Invalid refresh token (owner mismatch)");
    return c.json(issued(issueTokens(keys, owner, Date.now(), madeFrom)), 200, { "Cache-Control": "no-store" });
  });
