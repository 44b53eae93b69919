import { canonicalJson, UNSIGNED_MEMBERS } from "./protocol/index.ts";

/** Who signs, with what. */
export interface Signer {
  readonly workerId: string;
  readonly token: string;
  /** The time by the orchestrator's clock, epoch ms: it takes no message from a minute ago. */
  now(): number;
}

const encoder = new TextEncoder();

/**
 * Signs a message for orchestrators that take signed messages only (reference D.10): adds the time, and an HMAC-SHA256 over
 * the message's canonical text, keyed by the worker's token.
 * @param message JSON text of an object
 * @param more members to add to it
 */
export async function signedMessage(message: string, signer: Signer, more: object = {}): Promise<string> {
  const members = { ...more, timestamp: Math.floor(signer.now() / 1000) };
  const stamped = Object.entries(members).reduce((text, [name, value]) => withMember(text, name, value), message);
  const signature = await hmac(signer.token, canonicalJson(stamped, UNSIGNED_MEMBERS) ?? "");
  return withMember(stamped, "security", { signer_id: signer.workerId, signature });
}

/** Puts a member into the text of an object, whose own text stays as it is: what is signed is what is sent. */
function withMember(object: string, name: string, value: unknown): string {
  const member = `${JSON.stringify(name)}:${JSON.stringify(value)}`;
  const rest = object.slice(object.indexOf("{") + 1);
  return `{${member}${rest.trim() === "}" ? "" : ","}${rest}`;
}

/** Whether `signature` is the HMAC-SHA256 of the text, in hex; takes a time that does not depend on where it differs. */
export async function isSignedWith(key: string, text: string, signature: string): Promise<boolean> {
  const pairs = /^[0-9a-f]{64}$/i.test(signature) ? (signature.match(/../g) ?? []) : [];
  const bytes = Uint8Array.from(pairs, (pair) => parseInt(pair, 16));
  return crypto.subtle.verify("HMAC", await hmacKey(key, "verify"), bytes, encoder.encode(text));
}

async function hmac(key: string, text: string): Promise<string> {
  const signature = await crypto.subtle.sign("HMAC", await hmacKey(key, "sign"), encoder.encode(text));
  return Array.from(new Uint8Array(signature), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function hmacKey(key: string, usage: "sign" | "verify") {
  return crypto.subtle.importKey("raw", encoder.encode(key), { name: "HMAC", hash: "SHA-256" }, false, [usage]);
}
