import { createHmac } from "node:crypto";
import { canonicalJson } from "@batuta/worker/protocol";

/** Members that a signature does not cover: of messages, and besides them of events. */
const UNSIGNED = ["security", "bubbling_chain"];

/** A message as a worker signs it: with the time, and the HMAC of its canonical text. */
export function signedMessage(message: object, workerId: string, token = "worker-token"): object {
  const stamped = { timestamp: Math.floor(Date.now() / 1000), ...message };
  const covered = canonicalJson(JSON.stringify(stamped), UNSIGNED) ?? "";
  const signature = createHmac("sha256", token).update(covered).digest("hex");
  return { ...stamped, security: { signature, signer_id: workerId } };
}

/** Numbers the frames of a connection that has a name, and signs them. */
export function frameSigner(session: string, workerId: string, token?: string): (frame: object) => string {
  let seq = 0;
  return (frame) => JSON.stringify(signedMessage({ session, seq: ++seq, ...frame }, workerId, token));
}
