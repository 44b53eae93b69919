import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { openKeys, sealKeys } from "./sealed-keys.ts";
import { digestToken, sameDigest } from "./token-digest.ts";
import { authenticateWorker, type WorkerDirectory } from "./workers.ts";

/** How long tokens last, seconds. A refresh token is for a worker that was away for a while. */
const ACCESS_TOKEN_SECONDS = 3600;
const REFRESH_TOKEN_SECONDS = 86_400;

/** Keeps what is signed here from being taken for something else that the same secret signs. */
const PURPOSE = "batuta worker token, version 1";

const SHAPE =
  /^bwt\.(?<kind>[ar])\.(?<workerId>[a-zA-Z0-9_-]{1,128})\.(?<until>\d{1,12})(?:\.(?<sealed>[a-zA-Z0-9_-]{38,}))?\.(?<mac>[a-zA-Z0-9_-]{43})$/;

/** What the deployment knows of its workers' tokens. */
export interface WorkerKeys {
  readonly directory: WorkerDirectory;
  readonly globalToken: string | null;
  /** Signs short-lived tokens; null where there are none. */
  readonly signingSecret: string | null;
}

/** Whose message it is; the error is the answer's text. `workerId` is undefined when nothing names the worker. */
export type WorkerIdentity =
  | {
      readonly ok: true;
      readonly workerId: string | undefined;
      readonly shortLived: boolean;
      /** The token that a short-lived one was made from, where that tells. */
      readonly madeFrom?: string | undefined;
    }
  | { readonly ok: false; readonly status: 401 | 403; readonly error: string; readonly owner?: string };

/** Answer of the token routes (reference D.9). */
export interface IssuedTokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly expires_in: number;
  readonly worker_id: string;
}

/**
 * Finds out whether a token may act for a worker: its own or the global one (reference A.3), or an access token made
 * from it.
 * @param claimed the id the request names; undefined when it names none
 * @param now epoch ms
 */
export function identifyWorker(
  keys: WorkerKeys,
  claimed: string | undefined,
  token: string | undefined,
  now: number,
): WorkerIdentity {
  const short = readToken(token);
  if (short === null || short.kind !== "a") {
    const known = authenticateWorker(keys.directory, keys.globalToken, claimed, token);
    return known.ok
      ? { ok: true, workerId: claimed, shortLived: false }
      : { ok: false, status: 401, error: known.error };
  }
  if (!isGenuine(keys, short)) return { ok: false, status: 401, error: "Unauthorized: No valid token found" };
  // With this status and no other, existing workers refresh their token.
  if (short.until * 1000 <= now) return { ok: false, status: 401, error: "Unauthorized: Access token expired" };
  const { workerId } = short;
  if (claimed !== undefined && claimed !== workerId) {
    const error = `Unauthorized: Access token of '${workerId}' does not match worker_id '${claimed}'`;
    return { ok: false, status: 403, error, owner: workerId };
  }
  return { ok: true, workerId, shortLived: true, madeFrom: tokenIn(keys, short) };
}

/**
 * Makes short-lived tokens. Nothing is stored: they carry worker, kind and end, and are worthless once the token the
 * worker is configured with has changed.
 * @param now epoch ms
 * @param token what the worker signs its messages with; sealed into its tokens, where it is to be known later
 * @returns null when the deployment has no secret to sign with, or no token for this worker
 */
export function issueTokens(
  keys: WorkerKeys,
  workerId: string,
  now: number,
  token: string | null = null,
): IssuedTokens | null {
  const { signingSecret: secret } = keys;
  const sealed = token === null || secret === null ? {} : { sealed: sealKeys(secret, workerId, [token]) };
  const seconds = Math.floor(now / 1000);
  const access = signedToken(keys, { kind: "a", workerId, until: seconds + ACCESS_TOKEN_SECONDS, ...sealed });
  const refresh = signedToken(keys, { kind: "r", workerId, until: seconds + REFRESH_TOKEN_SECONDS, ...sealed });
  if (access === null || refresh === null) return null;
  return { access_token: access, refresh_token: refresh, expires_in: ACCESS_TOKEN_SECONDS, worker_id: workerId };
}

/**
 * Whose refresh token this is, and what it was made from, where it tells.
 * @param now epoch ms
 * @returns null when it is none, or is over
 */
export function readRefreshToken(
  keys: WorkerKeys,
  token: string,
  now: number,
): { readonly owner: string; readonly madeFrom: string | undefined } | null {
  const short = readToken(token);
  const good = short !== null && short.kind === "r" && isGenuine(keys, short) && short.until * 1000 > now;
  return good ? { owner: short.workerId, madeFrom: tokenIn(keys, short) } : null;
}

/** The worker that has this token for its own; undefined when none has. */
export function ownerOfToken(directory: WorkerDirectory, token: string): string | undefined {
  const digest = digestToken(token);
  for (const [workerId, own] of directory) if (sameDigest(own, digest)) return workerId;
  return undefined;
}

interface Claims {
  readonly kind: string;
  readonly workerId: string;
  /** Epoch seconds. */
  readonly until: number;
  /** The token it was made from, as {@link sealKeys} hides it; undefined where that is not told. */
  readonly sealed?: string | undefined;
}

interface ShortLived extends Claims {
  readonly mac: string;
}

function readToken(token: string | undefined): ShortLived | null {
  const found = SHAPE.exec(token ?? "")?.groups;
  if (found === undefined) return null;
  const { kind = "", workerId = "", until = "", sealed, mac = "" } = found;
  return { kind, workerId, until: Number(until), sealed, mac };
}

function tokenIn({ signingSecret: secret }: WorkerKeys, { workerId, sealed }: Claims): string | undefined {
  return secret === null || sealed === undefined ? undefined : openKeys(secret, workerId, sealed)?.[0];
}

function isGenuine(keys: WorkerKeys, { mac, ...claims }: ShortLived): boolean {
  const right = macOf(keys, claims);
  return right !== null && sameDigest(digestToken(mac), digestToken(right));
}

function signedToken(keys: WorkerKeys, claims: Claims): string | null {
  const mac = macOf(keys, claims);
  if (mac === null) return null;
  const { kind, workerId, until, sealed } = claims;
  return ["bwt", kind, workerId, until, ...(sealed === undefined ? [] : [sealed]), mac].join(".");
}

/** Covers the digest of the configured token too, which the token itself does not tell. */
function macOf(
  { directory, globalToken, signingSecret }: WorkerKeys,
  { kind, workerId, until, sealed }: Claims,
): string | null {
  const configured = directory.get(workerId) ?? (globalToken ? digestToken(globalToken) : null);
  if (signingSecret === null || configured === null) return null;
  const told = sealed === undefined ? [] : [sealed];
  const body = [PURPOSE, kind, workerId, until, Buffer.from(configured).toString("hex"), ...told].join("\n");
  return createHmac("sha256", signingSecret).update(body).digest("base64url");
}
