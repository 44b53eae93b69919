import { jsonObject, type JsonObject } from "@batuta/worker/protocol";
import { z } from "zod";

/** An ended job as the archive keeps it. */
const archivedJob = z.object({
  v: z.literal(1),
  client: z.string(),
  /** What `GET …/jobs/{id}` answered, and still does. */
  view: jsonObject,
  record: jsonObject,
  branches: z.array(jsonObject),
});
type ArchivedJob = z.infer<typeof archivedJob>;

/** Where the archive keeps a job. */
export function archiveKey(jobId: string): string {
  return `archive/${jobId}.json`;
}

async function readArchive(bucket: R2Bucket | undefined, jobId: string): Promise<ArchivedJob | null> {
  const object = await bucket?.get(archiveKey(jobId));
  return object === null || object === undefined ? null : archivedJob.parse(await object.json());
}

/** An archived job as its client sees it; null when there is none, or it is another client's. */
export async function readArchivedJob(
  bucket: R2Bucket | undefined,
  jobId: string,
  client: string,
): Promise<JsonObject | null> {
  const archived = await readArchive(bucket, jobId);
  return archived?.client === client ? archived.view : null;
}

/** Whether an archived job stems from this create request, or from another one; null when there is none. */
export async function archivedBefore(
  bucket: R2Bucket | undefined,
  jobId: string,
  requestDigest: string,
): Promise<"existing" | "conflict" | null> {
  const head = await bucket?.head(archiveKey(jobId));
  if (head === null || head === undefined) return null;
  return head.customMetadata?.["request_digest"] === requestDigest ? "existing" : "conflict";
}

/** Writes a job to the archive. @throws what R2 throws */
export async function writeArchive(
  bucket: R2Bucket,
  jobId: string,
  requestDigest: string,
  job: ArchivedJob,
): Promise<void> {
  await bucket.put(archiveKey(jobId), JSON.stringify(job), {
    httpMetadata: { contentType: "application/json" },
    customMetadata: { request_digest: requestDigest },
  });
}
