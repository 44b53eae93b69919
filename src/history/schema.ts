import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

/**
 * The history database (spec §6). Columns bear the names that answers show. Times are epoch ms; snapshots are JSON.
 *
 * Every row written is paid for, and every index writes one more. So each table is kept in the order of its primary key
 * (`WITHOUT ROWID`, which drizzle cannot say: the migration does), and the primary keys serve the reads.
 */
export const jobEvents = sqliteTable(
  "job_events",
  {
    /** `<job_id>:<seq>`, computed on reading. */
    id: text().generatedAlwaysAs(sql`job_id || ':' || seq`, { mode: "virtual" }),
    job_id: text().notNull(),
    seq: integer().notNull(),
    state: text().notNull(),
    event_type: text().notNull(),
    duration_ms: integer(),
    attempt_number: integer(),
    context_snapshot: text({ mode: "json" }),
    created_at: integer().notNull(),
    client: text().notNull(),
    blueprint: text().notNull(),
    status: text(),
    previous_state: text(),
    next_state: text(),
    worker_id: text(),
    task_id: text(),
    error: text(),
  },
  (table) => [primaryKey({ columns: [table.job_id, table.seq] })],
);

export const workerEvents = sqliteTable("worker_events", {
  id: text().primaryKey(),
  worker_id: text().notNull(),
  event_type: text().notNull(),
  worker_info_snapshot: text({ mode: "json" }),
  created_at: integer().notNull(),
});

/** Each job as its newest event left it: what listings read. */
export const jobs = sqliteTable(
  "jobs",
  {
    job_id: text().primaryKey(),
    client: text().notNull(),
    blueprint: text().notNull(),
    status: text().notNull(),
    current_state: text().notNull(),
    created_at: integer().notNull(),
    updated_at: integer().notNull(),
    finished_at: integer(),
    /** The event the row stems from; an older message must not undo a newer one. */
    last_seq: integer().notNull(),
    blueprint_version: integer().notNull().default(1),
    error: text(),
    /** The same for errors that differ only in what they speak of (`fingerprint.ts`); null without an error. */
    fingerprint: text(),
    parent_id: text(),
  },
  // Read backwards for "newest first". None of its columns ever changes, so an update of a job does not touch it.
  (table) => [
    index("jobs_by_client").on(table.client, table.created_at, table.job_id),
    // For the sweep. Holds live jobs only; a job that has ended when it is first written never enters it.
    index("jobs_alive")
      .on(table.job_id)
      .where(sql`finished_at IS NULL`),
    // For the quarantine. Most jobs never enter it; one that does is written once more then, and once when it leaves.
    index("jobs_quarantined")
      .on(table.client, table.updated_at, table.job_id)
      .where(sql`status = 'quarantined'`),
  ],
);

/** Each message to a webhook or a channel of people, as its newest attempt left it. */
export const webhookDeliveries = sqliteTable(
  "webhook_deliveries",
  {
    /** The `webhook-id` the receiver sees; for a question, the wait and `-ask-` with a number. */
    id: text().notNull(),
    job_id: text().notNull(),
    client: text().notNull(),
    /** `webhook` or `ask_people`. */
    kind: text().notNull(),
    event: text().notNull(),
    /** Without query and credentials, which may be secrets. */
    url: text().notNull(),
    /** `delivered`, `retrying`, `failed` or `refused`. */
    status: text().notNull(),
    attempts: integer().notNull(),
    last_status_code: integer(),
    last_error: text(),
    created_at: integer().notNull(),
    updated_at: integer().notNull(),
    /** Null when there will be no further attempt. */
    next_attempt_at: integer(),
  },
  // The key serves the listing of a job. The index serves that of a client; none of its columns ever changes.
  (table) => [
    primaryKey({ columns: [table.job_id, table.id] }),
    index("webhook_deliveries_by_client").on(table.client, table.created_at, table.id),
  ],
);

/** What running tasks wrote to the logs of their jobs. */
export const jobLogs = sqliteTable(
  "job_logs",
  {
    job_id: text().notNull(),
    /** Epoch ms by the worker's clock. */
    at: integer().notNull(),
    task_id: text().notNull(),
    /** Orders the lines of one task and time, and tells a line that came again (`task-log.ts`). */
    line: text().notNull(),
    level: text().notNull(),
    message: text().notNull(),
    fields: text({ mode: "json" }),
    worker_id: text().notNull(),
    attempt: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.job_id, table.at, table.task_id, table.line] })],
);
