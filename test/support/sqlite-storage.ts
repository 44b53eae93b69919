import { DatabaseSync, type SQLInputValue } from "node:sqlite";

/** The storage of a Durable Object as far as a registry shard uses it, over a real SQLite. */
export interface SqliteStorage {
  readonly storage: DurableObjectStorage;
  /** Times to which the alarm was set, in order. */
  readonly alarms: number[];
  /** Statements that wrote something: what the platform would bill. */
  readonly writes: string[];
}

const SEVERAL_STATEMENTS = /;\s*\S/;

export function sqliteStorage(): SqliteStorage {
  const database = new DatabaseSync(":memory:");
  const alarms: number[] = [];
  const writes: string[] = [];
  const exec = (query: string, ...bindings: SQLInputValue[]) => {
    if (!query.startsWith("SELECT")) writes.push(query);
    if (SEVERAL_STATEMENTS.test(query)) database.exec(query);
    const rows = SEVERAL_STATEMENTS.test(query) ? [] : database.prepare(query).all(...bindings);
    return {
      toArray: () => rows,
      one: () => {
        if (rows.length !== 1) throw new Error(`Expected one row, got ${rows.length}.`);
        return rows[0];
      },
    };
  };
  const storage = {
    sql: { exec },
    transactionSync: (work: () => unknown) => work(),
    setAlarm: (at: number) => {
      alarms.push(at);
      return Promise.resolve();
    },
  };
  return { storage: storage as unknown as DurableObjectStorage, alarms, writes };
}
