import { createHmac } from "node:crypto";
import { canonicalMembers, joinMembers, type TaskPayload } from "@batuta/worker/protocol";
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
const plainFiles = z.record(z.string(), plainObject);

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
  const { params_metadata: files, ...rest } = plainObject.parse(JSON.parse(JSON.stringify(stamped)));
  const members = canonicalMembers(rest);
  const known = members.filter(([name]) => KNOWN_TO_PUBLISHED.has(name));
  return {
    ...stamped,
    sig: signatureOf([...known, ...filesMember(knownOfFiles(files))], secret),
    orchestrator_signature: signatureOf([...members, ...filesMember(files)], secret),
  };
}

function filesMember(files: unknown): [string, string][] {
  return files === undefined ? [] : canonicalMembers({ params_metadata: files });
}

/** A size of 0 is the published workers' default, which they leave out. */
function knownOfFiles(files: unknown): unknown {
  const parsed = plainFiles.safeParse(files);
  if (!parsed.success) return files;
  const known = Object.entries(parsed.data).map(([key, file]) => {
    const members = Object.entries(file).filter(([name, value]) => KNOWN_OF_FILE.has(name) && value !== 0);
    return [key, Object.fromEntries(members)];
  });
  return Object.fromEntries(known);
}

/** HMAC-SHA256 in hex of the canonical text with these members. */
function signatureOf(members: readonly [string, string][], secret: string): string {
  const ordered = members.toSorted(([one], [other]) => (one < other ? -1 : 1));
  return createHmac("sha256", secret).update(joinMembers(ordered)).digest("hex");
}
