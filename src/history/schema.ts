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
  },
  // Read backwards for "newest first". None of its columns ever changes, so an update of a job does not touch it.
  (table) => [
    index("jobs_by_client").on(table.client, table.created_at, table.job_id),
    // For the sweep. Holds live jobs only; a job that has ended when it is first written never enters it.
    index("jobs_alive")
      .on(table.job_id)
      .where(sql`finished_at IS NULL`),
  ],
);
