import { z } from "zod";
import { type FileKind, type Parsed, parseTables } from "./configuration-text.ts";
import { digestOfTable, digestToken, sameDigest, tokenFields } from "./token-digest.ts";

/** SHA-256 digests of the individual tokens, by worker id. Workers that are not in it use the global token. */
export type WorkerDirectory = ReadonlyMap<string, Uint8Array>;

const WORKERS: FileKind = { file: "workers.toml", section: "workers", noun: "worker" };

const workerTable = z
  .object(tokenFields, {
    error: "Invalid configuration for {table}: a worker is a table. Write [workers.NAME] and its token below it.",
  })
  .transform(digestOfTable);

/**
 * Reads `workers.toml` (spec §8, reference F.3). A worker without a token makes the whole text bad: to skip it would
 * let it in by the global token, which is what an entry of its own is meant to end.
 */
export function parseWorkers(text: string): Parsed<WorkerDirectory> {
  return parseTables(text, WORKERS, workerTable);
}

/** Whether a worker may act under the id it names; the error is the answer's text. */
export type WorkerAuthentication = { ok: true } | { ok: false; error: string };

/**
 * Checks a worker's token in the order of reference A.3: a worker with an individual token is known by that one only,
 * any other by the global token. Without a global token, or with an empty one, it opens nothing.
 * @param workerId the id in the path or the body; undefined when the request names none.
 * @param token the presented token; undefined when there is none.
 */
export function authenticateWorker(
  directory: WorkerDirectory,
  globalToken: string | null,
  workerId: string | undefined,
  token: string | undefined,
): WorkerAuthentication {
  if (!token) return { ok: false, error: "Missing X-Worker-Token header" };
  const digest = digestToken(token);
  const individual = workerId === undefined ? undefined : directory.get(workerId);
  if (individual !== undefined) {
    return sameDigest(individual, digest)
      ? { ok: true }
      : { ok: false, error: "Unauthorized: Invalid individual worker token" };
  }
  if (globalToken && sameDigest(digestToken(globalToken), digest)) return { ok: true };
  return {
    ok: false,
    error: workerId ? "Unauthorized: No valid token found" : "Unauthorized: Invalid token or missing worker_id",
  };
}
