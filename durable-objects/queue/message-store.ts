/** A message at rest. Times are epoch ms; `attempts` counts the deliveries that failed. */
export interface StoredMessage {
  id: number;
  body: object;
  attempts: number;
  sentAt: number;
  dueAt: number;
}

/** The rows of one queue. */
export class MessageStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(`
      CREATE TABLE IF NOT EXISTS messages (
        id INTEGER PRIMARY KEY,
        body TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        sent_at INTEGER NOT NULL,
        due_at INTEGER NOT NULL
      );
      CREATE INDEX IF NOT EXISTS messages_by_due ON messages (due_at)`);
  }

  /** @param bodies texts of JSON objects. */
  add(bodies: readonly string[], sentAt: number, dueAt: number): void {
    for (const body of bodies) {
      this.#sql.exec("INSERT INTO messages (body, sent_at, due_at) VALUES (?, ?, ?)", body, sentAt, dueAt);
    }
  }

  /** Up to `limit` messages that are due, the longest due first. */
  due(now: number, limit: number): StoredMessage[] {
    return this.#sql
      .exec<{ id: number; body: string; attempts: number; sent_at: number; due_at: number }>(
        "SELECT id, body, attempts, sent_at, due_at FROM messages WHERE due_at <= ? ORDER BY due_at, id LIMIT ?",
        now,
        limit,
      )
      .toArray()
      .map((row) => ({
        id: row.id,
        body: JSON.parse(row.body),
        attempts: row.attempts,
        sentAt: row.sent_at,
        dueAt: row.due_at,
      }));
  }

  /** When the next message is due; null when there is none. */
  nextDueAt(): number | null {
    return this.#sql.exec<{ due_at: number | null }>("SELECT min(due_at) AS due_at FROM messages").one().due_at;
  }

  remove(messages: readonly StoredMessage[]): void {
    if (messages.length === 0) return;
    this.#sql.exec(
      "DELETE FROM messages WHERE id IN (SELECT value FROM json_each(?))",
      JSON.stringify(messages.map(({ id }) => id)),
    );
  }

  /** Takes over the messages' `attempts` and `dueAt`. */
  postpone(messages: readonly StoredMessage[]): void {
    if (messages.length === 0) return;
    this.#sql.exec(
      `UPDATE messages SET attempts = later.value ->> 'attempts', due_at = later.value ->> 'dueAt'
       FROM json_each(?) AS later WHERE messages.id = later.value ->> 'id'`,
      JSON.stringify(messages.map(({ id, attempts, dueAt }) => ({ id, attempts, dueAt }))),
    );
  }
}
