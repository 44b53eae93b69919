import { canonicalJson, UNSIGNED_MEMBERS } from "../protocol/index.ts";
import type { Runtime } from "../runtime.ts";

interface Signer {
  readonly workerId: string;
  readonly token: string;
  /** The time by the orchestrator's clock, epoch ms: it takes no message from a minute ago. */
  now(): number;
}

const encoder = new TextEncoder();

/**
 * A fetch that signs each body it sends, for orchestrators that take signed messages only (reference D.10): adds the time,
 * and an HMAC-SHA256 over the body's canonical text, keyed by the worker's token.
 */
export function signingFetch(fetch: Runtime["fetch"], signer: Signer): Runtime["fetch"] {
  return async (url, init) => {
    if (typeof init.body !== "string") return fetch(url, init);
    const stamped = withMember(init.body, "timestamp", Math.floor(signer.now() / 1000));
    const signature = await hmac(signer.token, canonicalJson(stamped, UNSIGNED_MEMBERS) ?? "");
    const body = withMember(stamped, "security", { signer_id: signer.workerId, signature });
    return fetch(url, { ...init, body });
  };
}

/** Puts a member into the text of an object, whose own text stays as it is: what is signed is what is sent. */
function withMember(object: string, name: string, value: unknown): string {
  const member = `${JSON.stringify(name)}:${JSON.stringify(value)}`;
  const rest = object.slice(object.indexOf("{") + 1);
  return `{${member}${rest.trim() === "}" ? "" : ","}${rest}`;
}

async function hmac(key: string, text: string): Promise<string> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", encoder.encode(key), algorithm, false, ["sign"]);
  const bytes = new Uint8Array(await crypto.subtle.sign("HMAC", imported, encoder.encode(text)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
