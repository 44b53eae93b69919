import type { Env } from "../../src/env.ts";
import { writeArchive } from "../../src/history/archive.ts";
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
  await writeArchive(env.PAYLOADS, record.id, record.requestDigest, {
    v: 1,
    client: record.client.name,
    view,
    record: { ...record },
    branches: branches.map((branch) => ({ ...branch })),
  });
  return true;
}
