import { createHmac } from "node:crypto";
import { canonicalJson, SIGNED_WITHIN_SECONDS, UNSIGNED_MEMBERS } from "@batuta/worker/protocol";
import { z } from "zod";
import { digestToken, sameDigest } from "./token-digest.ts";

/** A relay adds itself to the chain of an event on its way. */
const UNSIGNED_OF_EVENT = [...UNSIGNED_MEMBERS, "bubbling_chain"];

const stamped = z.looseObject({ timestamp: z.int() });
const secured = z.looseObject({ security: z.looseObject({}) });
const signed = z.looseObject({ security: z.looseObject({ signature: z.string().min(1) }) });
const signedBy = z.looseObject({ security: z.looseObject({ signer_id: z.string() }) });

/** A message of a worker, and what is known of its sender. */
export interface SignedMessage {
  /** The body as it came. */
  readonly text: string;
  /** The same, read. */
  readonly body: unknown;
  readonly isEvent: boolean;
  /** Whom the token was checked for. */
  readonly workerId: string;
  /** The token that came with the message, and what else the worker may sign with. */
  readonly keys: readonly string[];
}

/** The signature, so that the same message can be known when it comes again; or why the message is not to be trusted. */
export type SignatureCheck = { readonly ok: true; readonly signature: string } | { readonly ok: false; error: string };

/**
 * Checks the time and the signature of a message (reference D.10).
 * @param now epoch ms
 */
export function checkSignature(message: SignedMessage, now: number): SignatureCheck {
  const { text, body, workerId, keys } = message;
  const stamp = stamped.safeParse(body);
  if (!stamp.success) return refused("Missing required timestamp for replay protection");
  if (Math.abs(Math.floor(now / 1000) - stamp.data.timestamp) > SIGNED_WITHIN_SECONDS) {
    return refused("Message timestamp expired (replay protection)");
  }
  if (!secured.safeParse(body).success) return refused("Missing required security context");
  const named = signed.safeParse(body);
  if (!named.success) return refused("Missing required cryptographic signature");
  const signer = signedBy.safeParse(body);
  if (signer.success && signer.data.security.signer_id !== workerId) {
    return refused(`Message signer ID '${signer.data.security.signer_id}' does not match worker ID '${workerId}'`);
  }
  const covered = canonicalJson(text, message.isEvent ? UNSIGNED_OF_EVENT : UNSIGNED_MEMBERS);
  // In one case: written otherwise it would pass for a message that was never seen.
  const signature = named.data.security.signature.toLowerCase();
  const right = covered !== null && keys.some((key) => sameText(signature, signatureOf(covered, key)));
  return right ? { ok: true, signature } : refused("Invalid cryptographic signature");
}

function refused(error: string): SignatureCheck {
  return { ok: false, error };
}

/** HMAC-SHA256 in hex, keyed by a worker's token. */
function signatureOf(covered: string, key: string): string {
  return createHmac("sha256", key).update(covered).digest("hex");
}

/** In a time that does not depend on where the texts differ. */
function sameText(one: string, other: string): boolean {
  return sameDigest(digestToken(one), digestToken(other));
}
