import { and, asc, desc, eq, getTableColumns, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { pageOf, readCursor } from "../history/cursor.ts";
import { webhookDeliveries } from "../history/schema.ts";
import { MAX_PAGE } from "../limits.ts";

export const DELIVERY_STATUSES = ["delivered", "retrying", "failed", "refused"] as const;
type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/** A delivery as its newest try left it. Times are epoch ms. */
export type Delivery = typeof webhookDeliveries.$inferSelect & { status: DeliveryStatus };

/** One statement for any number of rows, and one row written for each. What has been delivered stays so: a repeated message may fail. */
const UPSERT = `
INSERT INTO webhook_deliveries (
  id, job_id, client, kind, event, url, status, attempts,
  last_status_code, last_error, created_at, updated_at, next_attempt_at
)
SELECT
  value ->> 'id', value ->> 'job_id', value ->> 'client', value ->> 'kind', value ->> 'event', value ->> 'url',
  value ->> 'status', value ->> 'attempts', value ->> 'last_status_code', value ->> 'last_error',
  value ->> 'created_at', value ->> 'updated_at', value ->> 'next_attempt_at'
FROM json_each(?)
WHERE true
ON CONFLICT (job_id, id) DO UPDATE SET
  url = excluded.url,
  status = excluded.status,
  attempts = max(attempts, excluded.attempts),
  last_status_code = excluded.last_status_code,
  last_error = excluded.last_error,
  updated_at = excluded.updated_at,
  next_attempt_at = excluded.next_attempt_at
WHERE webhook_deliveries.status <> 'delivered'`;

/** @throws what D1 throws */
export async function recordDeliveries(db: D1Database, deliveries: readonly Delivery[]): Promise<void> {
  if (deliveries.length > 0) await db.prepare(UPSERT).bind(JSON.stringify(deliveries)).run();
}

const { client: _, ...shown } = getTableColumns(webhookDeliveries);

/** A delivery as its client sees it. */
export type ListedDelivery = Omit<typeof webhookDeliveries.$inferSelect, "client">;

/** The deliveries of a job, in the order in which they came up; empty when the job is not the client's. */
export async function deliveriesOf(db: D1Database, jobId: string, client: string): Promise<ListedDelivery[]> {
  return await drizzle(db)
    .select(shown)
    .from(webhookDeliveries)
    // The plus keeps SQLite from the client's index, by which it would read all the client's deliveries to save a sort.
    .where(and(eq(webhookDeliveries.job_id, jobId), sql`+${webhookDeliveries.client} = ${client}`))
    .orderBy(asc(webhookDeliveries.created_at), asc(webhookDeliveries.id));
}

/** Which deliveries of a client to list. */
export interface DeliveryListing {
  client: string;
  status?: DeliveryStatus | undefined;
  /** Rows of the page, at least 1; more than `MAX_PAGE` are never given. */
  limit: number;
  /** Where the page before ended (`nextCursor`). */
  cursor?: string | undefined;
}

/**
 * The deliveries of a client, newest first.
 * @returns the page, or undefined when the cursor is not one of ours; `nextCursor` is null on the last page
 */
export async function listDeliveries(
  db: D1Database,
  { client, status, limit, cursor }: DeliveryListing,
): Promise<{ deliveries: ListedDelivery[]; nextCursor: string | null } | undefined> {
  const after = cursor === undefined ? null : readCursor(cursor);
  if (after === undefined) return undefined;
  const most = Math.min(limit, MAX_PAGE);
  const table = webhookDeliveries;
  const rows = await drizzle(db)
    .select(shown)
    .from(table)
    .where(
      and(
        eq(table.client, client),
        after === null ? undefined : sql`(${table.created_at}, ${table.id}) < (${after.at}, ${after.id})`,
        // Looked at row by row: an index for the status would be written anew at every change of it.
        status === undefined ? undefined : eq(table.status, status),
      ),
    )
    .orderBy(desc(table.created_at), desc(table.id))
    .limit(most + 1);
  const { page, nextCursor } = pageOf(rows, most, (delivery) => ({ at: delivery.created_at, id: delivery.id }));
  return { deliveries: page, nextCursor };
}
