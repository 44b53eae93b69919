import { createHmac } from "node:crypto";
import { canonicalText, UNSIGNED_TASK_MEMBERS, type TaskPayload } from "@batuta/worker/protocol";
import { z } from "zod";

/** What published workers know of a task, and so what their check covers. */
const KNOWN_TO_PUBLISHED: ReadonlySet<string> = new Set([
  "job_id",
  "task_id",
  "type",
  "params",
  "tracing_context",
  "priority",
  "deadline",
  "timestamp",
]);

/** And what of a file. */
const KNOWN_OF_FILE: ReadonlySet<string> = new Set(["uri", "size", "etag", "metadata"]);

const plainObject = z.record(z.string(), z.unknown());
const plainFiles = z.looseObject({ params_metadata: z.record(z.string(), plainObject) });

/**
 * Signs a task for the workers that share a secret with this deployment. `orchestrator_signature` covers all of it; `sig`
 * covers what published workers check, which drop what they do not know before they do.
 * @param now time of the hand-over, epoch ms
 * @returns the task as it is where there is no secret
 */
export function signedTask(task: TaskPayload, secret: string | null, now: number): TaskPayload {
  if (secret === null) return task;
  const stamped: TaskPayload = { ...task, timestamp: Math.floor(now / 1000) };
  // As it arrives: on its way through JSON it may lose what JSON does not know.
  const arriving = plainObject.parse(JSON.parse(JSON.stringify(stamped)));
  return {
    ...stamped,
    sig: signatureOf(canonicalText(knownToPublished(arriving), []), secret),
    orchestrator_signature: signatureOf(canonicalText(arriving, UNSIGNED_TASK_MEMBERS), secret),
  };
}

/** A size of 0 is their default, which they leave out. */
function knownToPublished(task: Record<string, unknown>): Record<string, unknown> {
  const known = Object.fromEntries(Object.entries(task).filter(([name]) => KNOWN_TO_PUBLISHED.has(name)));
  const { data } = plainFiles.safeParse(task);
  if (data === undefined) return known;
  const files = Object.entries(data.params_metadata).map(([key, file]) => {
    const members = Object.entries(file).filter(([name, value]) => KNOWN_OF_FILE.has(name) && value !== 0);
    return [key, Object.fromEntries(members)];
  });
  return { ...known, params_metadata: Object.fromEntries(files) };
}

/** HMAC-SHA256 in hex. */
function signatureOf(covered: string, secret: string): string {
  return createHmac("sha256", secret).update(covered).digest("hex");
}
