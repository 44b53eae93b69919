import type { Env } from "../../src/env.ts";
import { archiveKey, type ArchivedJob } from "../../src/history/archive.ts";
import type { Branch, JobRecord } from "../../src/job/record.ts";
import { countBranches, jobView } from "../../src/job/view.ts";

/**
 * Writes an ended job to the archive, whole: what clients read of it, and the record with its branches for whoever
 * looks into it later.
 * @returns false where there is no archive
 * @throws what R2 throws; the job then stays where it is
 */
export async function archiveJob(env: Env, record: JobRecord, branches: readonly Branch[]): Promise<boolean> {
  if (env.PAYLOADS === undefined) return false;
  const view = jobView(record, record.fanOut === null ? null : countBranches(branches));
  const archived: ArchivedJob = {
    v: 1,
    client: record.client.name,
    request_digest: record.requestDigest,
    view,
    record: { ...record },
    branches: branches.map((branch) => ({ ...branch })),
  };
  await env.PAYLOADS.put(archiveKey(record.id), JSON.stringify(archived), {
    httpMetadata: { contentType: "application/json" },
  });
  return true;
}
