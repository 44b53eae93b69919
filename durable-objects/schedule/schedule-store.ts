import type { Progress, Schedule, ScheduleEntry } from "../../src/schedule/schedule.ts";
import { wakeTime } from "../../src/schedule/progress.ts";

const TABLES_KEY = "tables";

/**
 * Steps that bring the object's tables to the present version. What a client wrote and what changes by itself are apart, since a
 * row is rewritten whole and the first may hold much input. The time is before the value, so that looking for what is due reads no values.
 */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE schedules (id TEXT PRIMARY KEY, schedule TEXT NOT NULL);
   CREATE TABLE progress (id TEXT PRIMARY KEY, wake_at INTEGER, progress TEXT NOT NULL);`,
];

/** All storage of a client's schedules. Times are epoch ms. */
export class ScheduleStore {
  readonly #storage: DurableObjectStorage;
  #version: number;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#version = storage.kv.get<number>(TABLES_KEY) ?? 0;
    // A client that only asks whether it has schedules is not billed for tables.
    if (this.#version > 0) this.#migrate();
  }

  /** All schedules, by id. */
  all(): ScheduleEntry[] {
    if (this.#version === 0) return [];
    return this.#storage.sql
      .exec<StoredEntry>("SELECT schedule, progress FROM schedules JOIN progress USING (id) ORDER BY id")
      .toArray()
      .map(entryOf);
  }

  count(): number {
    if (this.#version === 0) return 0;
    return this.#storage.sql.exec<{ total: number }>("SELECT count(*) AS total FROM schedules").one().total;
  }

  find(id: string): ScheduleEntry | null {
    if (this.#version === 0) return null;
    const rows = this.#storage.sql.exec<StoredEntry>(
      "SELECT schedule, progress FROM schedules JOIN progress USING (id) WHERE id = ?",
      id,
    );
    const [row] = rows.toArray();
    return row === undefined ? null : entryOf(row);
  }

  /** Writes a schedule with its progress, new or in the place of the one with its id. */
  put({ schedule, progress }: ScheduleEntry): void {
    this.#migrate();
    this.#storage.transactionSync(() => {
      this.#storage.sql.exec(
        "INSERT INTO schedules (id, schedule) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET schedule = excluded.schedule",
        schedule.spec.id,
        JSON.stringify(schedule),
      );
      this.#storage.sql.exec(
        `INSERT INTO progress (id, wake_at, progress) VALUES (?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET wake_at = excluded.wake_at, progress = excluded.progress`,
        schedule.spec.id,
        wakeTime(schedule, progress),
        JSON.stringify(progress),
      );
    });
  }

  /** Writes how far a schedule is; nothing when it has been removed. */
  update({ schedule, progress }: ScheduleEntry): void {
    this.#storage.sql.exec(
      "UPDATE progress SET wake_at = ?, progress = ? WHERE id = ?",
      wakeTime(schedule, progress),
      JSON.stringify(progress),
      schedule.spec.id,
    );
  }

  /** Looks at a schedule again at another time. */
  putOff(id: string, wakeAt: number): void {
    this.#storage.sql.exec("UPDATE progress SET wake_at = ? WHERE id = ?", wakeAt, id);
  }

  /** @returns whether it was there */
  remove(id: string): boolean {
    if (this.find(id) === null) return false;
    this.#storage.transactionSync(() => {
      this.#storage.sql.exec("DELETE FROM schedules WHERE id = ?", id);
      this.#storage.sql.exec("DELETE FROM progress WHERE id = ?", id);
    });
    return true;
  }

  // Neither of these has an index: reading a client's rows now and then is cheaper than one row more at each write.

  /** Ids of the schedules that something is to be done about, the longest due first. */
  due(now: number, limit: number): string[] {
    if (this.#version === 0) return [];
    return this.#storage.sql
      .exec<{ id: string }>("SELECT id FROM progress WHERE wake_at <= ? ORDER BY wake_at LIMIT ?", now, limit)
      .toArray()
      .map(({ id }) => id);
  }

  /** When something is to be done next; null for never. */
  nextWakeTime(): number | null {
    if (this.#version === 0) return null;
    return this.#storage.sql.exec<{ at: number | null }>("SELECT min(wake_at) AS at FROM progress").one().at;
  }

  #migrate(): void {
    if (this.#version === MIGRATIONS.length) return;
    this.#storage.transactionSync(() => {
      for (const statements of MIGRATIONS.slice(this.#version)) this.#storage.sql.exec(statements);
      this.#storage.kv.put(TABLES_KEY, MIGRATIONS.length);
    });
    this.#version = MIGRATIONS.length;
  }
}

type StoredEntry = Record<"schedule" | "progress", string>;

function entryOf(row: StoredEntry): ScheduleEntry {
  return {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- this store is the only writer, and wrote a Schedule
    schedule: JSON.parse(row.schedule) as Schedule,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- likewise
    progress: JSON.parse(row.progress) as Progress,
  };
}
