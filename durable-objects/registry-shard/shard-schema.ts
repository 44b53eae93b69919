/**
 * Tables of a registry shard. Only what must outlive an eviction and is not in a socket's attachment:
 * registrations, tasks that wait, leases that no open socket carries, attempts that were let go before they came, the
 * paces of limited rates, what is to be said of workers beside their own words, and whether the shard drains. Integer
 * keys or no row ids, so that a row is one written row and not two.
 */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE workers (worker_id TEXT PRIMARY KEY, info TEXT NOT NULL, expires_at INTEGER NOT NULL) WITHOUT ROWID;
   CREATE TABLE waiting (seq INTEGER PRIMARY KEY, task_id TEXT NOT NULL, offer TEXT NOT NULL);
   CREATE TABLE leases (seq INTEGER PRIMARY KEY, worker_id TEXT NOT NULL, lease TEXT NOT NULL, expires_at INTEGER);`,
  `CREATE TABLE unwanted (seq INTEGER PRIMARY KEY, task_id TEXT NOT NULL, attempt INTEGER NOT NULL, at INTEGER NOT NULL)`,
  `CREATE TABLE paces (name TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID`,
  `CREATE TABLE standings (worker_id TEXT PRIMARY KEY, standing TEXT NOT NULL) WITHOUT ROWID;
   CREATE TABLE shard_drain (drain TEXT NOT NULL);`,
  `ALTER TABLE workers ADD COLUMN lapsed INTEGER NOT NULL DEFAULT 0`,
];

/** Brings the object's tables to the present version; each step runs once. */
export function migrateShard(storage: DurableObjectStorage): void {
  storage.transactionSync(() => {
    const { sql } = storage;
    sql.exec("CREATE TABLE IF NOT EXISTS _schema (version INTEGER PRIMARY KEY)");
    const row = sql.exec<{ version: number | null }>("SELECT max(version) AS version FROM _schema").one();
    for (const [index, statements] of MIGRATIONS.entries()) {
      if (index < (row.version ?? 0)) continue;
      sql.exec(statements);
      sql.exec("INSERT INTO _schema (version) VALUES (?)", index + 1);
    }
  });
}
