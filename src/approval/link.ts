import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { z } from "zod";
import { digestToken, sameDigest } from "../access/token-digest.ts";
import { MAX_LINK_LIFE_MS } from "../limits.ts";
import type { DecisionLink } from "./question.ts";

/** What a link gives its holder: to decide one question of one job, as one person. */
export interface LinkRight {
  readonly jobId: string;
  readonly waitId: string;
  /** For the page: the question itself does not say which blueprint asks. */
  readonly blueprint: string;
  readonly decider: string;
  /** Epoch ms, a whole second. */
  readonly expiresAt: number;
}

/** Keeps what is signed here from being taken for something else that the same secret signs. */
const PURPOSE = "batuta approval link, version 1";

const claims = z.strictObject({ j: z.string(), w: z.string(), b: z.string(), d: z.string(), x: z.int() });

/** The token of a link: its claims in base64url, a dot, and their HMAC-SHA256. */
export function signLink(secret: string, { jobId, waitId, blueprint, decider, expiresAt }: LinkRight): string {
  const said: z.infer<typeof claims> = { j: jobId, w: waitId, b: blueprint, d: decider, x: expiresAt / 1000 };
  const body = Buffer.from(JSON.stringify(said)).toString("base64url");
  return `${body}.${signatureOf(secret, body)}`;
}

/** What a token is worth: a right, or why it is worth nothing. */
export type ReadLink =
  | { readonly ok: true; readonly right: LinkRight }
  | { readonly ok: false; readonly reason: "unknown" | "expired" };

/**
 * Reads a token. Whether its question is still open, and its decider has not decided yet, only the job knows.
 * @param now epoch ms
 */
export function readLink(secret: string, token: string, now: number): ReadLink {
  const [body = "", signature = "", ...more] = token.split(".");
  const signed = sameDigest(digestToken(signature), digestToken(signatureOf(secret, body)));
  if (!signed || more.length > 0) return { ok: false, reason: "unknown" };
  const { j, w, b, d, x } = claims.parse(JSON.parse(Buffer.from(body, "base64url").toString()));
  if (now >= x * 1000) return { ok: false, reason: "expired" };
  return { ok: true, right: { jobId: j, waitId: w, blueprint: b, decider: d, expiresAt: x * 1000 } };
}

/** What is needed to make links. */
export interface LinkMaker {
  readonly secret: string;
  /** Without a slash at the end. */
  readonly publicUrl: string;
  /** Epoch ms. */
  readonly now: number;
}

/**
 * Makes the link of one person.
 * @param until the question's deadline, epoch ms; a link does not outlive it by more than the rest of a second
 * @param lifeMs the longest life asked for
 */
export function makeLink(
  { secret, publicUrl, now }: LinkMaker,
  { until, ...question }: Omit<LinkRight, "expiresAt"> & { readonly until: number | null },
  lifeMs: number = MAX_LINK_LIFE_MS,
): DecisionLink {
  const ends = Math.min(now + Math.min(lifeMs, MAX_LINK_LIFE_MS), until ?? Infinity);
  const expiresAt = Math.ceil(ends / 1000) * 1000;
  const token = signLink(secret, { ...question, expiresAt });
  return { decider: question.decider, url: `${publicUrl}/_public/approvals/${token}`, expiresAt };
}

function signatureOf(secret: string, body: string): string {
  return createHmac("sha256", secret).update(`${PURPOSE}\n${body}`).digest("base64url");
}
