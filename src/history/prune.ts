import { archiveKey } from "./archive.ts";

/** Once a day everything has been looked at, a 256th of it at a time: ids begin with two random hex digits. */
const WINDOWS = 256;
const DAY_MS = 86_400_000;
const WINDOW_MS = DAY_MS / WINDOWS;

/** Jobs forgotten in one transaction, and how often that is repeated for one window. */
const JOBS_AT_ONCE = 500;
const ROUNDS = 20;

/**
 * The windows whose turn came in `(from, to]`, as the first two hex digits of ids. Looking at rows costs a thousandth of
 * writing them, so that scanning in turn is far cheaper than an index on time, which every job would have to write.
 * @param from epoch ms
 */
export function windowsBetween(from: number, to: number): string[] {
  const first = Math.floor(from / WINDOW_MS) + 1;
  const count = Math.min(WINDOWS, Math.floor(to / WINDOW_MS) - first + 1);
  return Array.from({ length: Math.max(0, count) }, (_, i) => ((first + i) % WINDOWS).toString(16).padStart(2, "0"));
}

/** The end of a window's range of ids, which is not part of it. */
function endOf(prefix: string): string {
  return prefix === "ff" ? "g" : (Number.parseInt(prefix, 16) + 1).toString(16).padStart(2, "0");
}

/**
 * Forgets jobs of one window that ended before `before` (epoch ms) and are not in quarantine, with their history, logs, deliveries and archive, and
 * what workers did before then.
 * @returns how many jobs were forgotten
 * @throws what D1 or R2 throw; what is left is forgotten the next day
 */
export async function pruneWindow(
  db: D1Database,
  archive: R2Bucket | undefined,
  prefix: string,
  before: number,
): Promise<number> {
  const range = [prefix, endOf(prefix), before] as const;
  await db
    .prepare("DELETE FROM worker_events WHERE id >= ? AND id < ? AND created_at < ?")
    .bind(...range)
    .run();
  let forgotten = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    // oxlint-disable-next-line no-await-in-loop -- one transaction after the other, each of bounded size
    const { results } = await db
      .prepare(
        `SELECT job_id FROM jobs WHERE job_id >= ? AND job_id < ? AND finished_at < ? AND status <> 'quarantined' LIMIT ${JOBS_AT_ONCE}`,
      )
      .bind(...range)
      .all<{ job_id: string }>();
    const ids = results.map((row) => row.job_id);
    if (ids.length === 0) break;
    // The rows go last: as long as they are there, this is tried again.
    // oxlint-disable-next-line no-await-in-loop -- as above
    await archive?.delete(ids.map(archiveKey));
    const list = JSON.stringify(ids);
    // oxlint-disable-next-line no-await-in-loop -- as above
    await db.batch(
      ["job_events", "job_logs", "webhook_deliveries", "jobs"].map((table) =>
        db.prepare(`DELETE FROM ${table} WHERE job_id IN (SELECT value FROM json_each(?))`).bind(list),
      ),
    );
    forgotten += ids.length;
    if (ids.length < JOBS_AT_ONCE) break;
  }
  return forgotten;
}
