import { drain, standing, type Drain, type Standing } from "./standing.ts";

/** The rows of workers whose standing is not simply good, and that of a draining shard. */
export class StandingStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  standings(): Map<string, Standing> {
    const rows = this.#sql.exec<{ worker_id: string; standing: string }>("SELECT worker_id, standing FROM standings");
    return new Map(rows.toArray().map((row) => [row.worker_id, standing.parse(JSON.parse(row.standing))]));
  }

  put(workerId: string, value: Standing): void {
    this.#sql.exec(
      "INSERT INTO standings (worker_id, standing) VALUES (?, ?) ON CONFLICT (worker_id) DO UPDATE SET standing = excluded.standing",
      workerId,
      JSON.stringify(value),
    );
  }

  delete(workerId: string): void {
    this.#sql.exec("DELETE FROM standings WHERE worker_id = ?", workerId);
  }

  shardDrain(): Drain | null {
    const [row] = this.#sql.exec<{ drain: string }>("SELECT drain FROM shard_drain").toArray();
    return row === undefined ? null : drain.parse(JSON.parse(row.drain));
  }

  putShardDrain(value: Drain | null): void {
    this.#sql.exec("DELETE FROM shard_drain");
    if (value !== null) this.#sql.exec("INSERT INTO shard_drain (drain) VALUES (?)", JSON.stringify(value));
  }
}
