import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";
import { z } from "zod";

/** Keeps what is sealed here from being opened as something else that the same secret seals. */
const PURPOSE = "batuta keys of a worker's socket, version 1";
const CIPHER = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** With these the edge tells a shard how the frames of a socket are signed: the sealed keys, and the connection's name. */
export const SOCKET_KEYS_HEADER = "X-Batuta-Socket-Keys";
export const SOCKET_SESSION_HEADER = "X-Batuta-Socket-Session";

const listOfKeys = z.array(z.string());

/**
 * Seals the keys that a worker signs with, so that they can lie with its socket without being there to read: a signature
 * can only be checked with the token itself.
 * @param secret the deployment's own
 */
export function sealKeys(secret: string, workerId: string, keys: readonly string[]): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, sealingKey(secret), nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(workerId));
  const hidden = Buffer.concat([cipher.update(JSON.stringify(keys), "utf8"), cipher.final()]);
  return Buffer.concat([nonce, hidden, cipher.getAuthTag()]).toString("base64url");
}

/** @returns null unless this secret sealed them for this worker */
export function openKeys(secret: string, workerId: string, sealed: string): string[] | null {
  const bytes = Buffer.from(sealed, "base64url");
  if (bytes.length < NONCE_BYTES + TAG_BYTES) return null;
  const nonce = bytes.subarray(0, NONCE_BYTES);
  const decipher = createDecipheriv(CIPHER, sealingKey(secret), nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(workerId));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    const hidden = bytes.subarray(NONCE_BYTES, -TAG_BYTES);
    const text = Buffer.concat([decipher.update(hidden), decipher.final()]).toString();
    return listOfKeys.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

function sealingKey(secret: string): Buffer {
  return createHmac("sha256", secret).update(PURPOSE).digest();
}
