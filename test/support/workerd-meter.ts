import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { RegistryShard } from "../../src/index.ts";
import { namespaces, shard } from "./workerd-objects.ts";

/** What an object wrote, as the platform bills it. */
export interface Written {
  /** Rows of SQL statements, and one for each put or delete of a key. */
  readonly rows: number;
  /** Each is billed as a written row. */
  readonly setAlarms: number;
  readonly deletedAlarms: number;
}

type Tally = { keys: number; setAlarms: number; deletedAlarms: number; cursors: SqlStorageCursor<never>[] };

/**
 * Counts what all objects write and which objects are called, until mocks are restored. The storage's prototypes are
 * spied on, because an object that is made while the meter runs writes before a test can get hold of its storage.
 */
export async function startMeter() {
  const tallies = new Map<object, Tally>();
  const tally = (storage: object): Tally => {
    const known = tallies.get(storage) ?? { keys: 0, setAlarms: 0, deletedAlarms: 0, cursors: [] };
    tallies.set(storage, known);
    return known;
  };
  await runInDurableObject(shard(), (_, { storage }) => {
    const prototypes: { storage: typeof storage; kv: typeof storage.kv; sql: typeof storage.sql } = {
      storage: Object.getPrototypeOf(storage),
      kv: Object.getPrototypeOf(storage.kv),
      sql: Object.getPrototypeOf(storage.sql),
    };
    count(prototypes.kv, "put", (kv) => (tally(kv).keys += 1));
    count(prototypes.kv, "delete", (kv) => (tally(kv).keys += 1));
    count(prototypes.storage, "put", (whole) => (tally(whole).keys += 1));
    count(prototypes.storage, "delete", (whole) => (tally(whole).keys += 1));
    count(prototypes.storage, "setAlarm", (whole) => (tally(whole).setAlarms += 1));
    count(prototypes.storage, "deleteAlarm", (whole) => (tally(whole).deletedAlarms += 1));
    count(prototypes.sql, "exec", (sql, cursor) => tally(sql).cursors.push(cursor as SqlStorageCursor<never>));
  });
  const calls: string[] = [];
  const { getByName } = namespaces;
  vi.spyOn(namespaces, "getByName").mockImplementation(function (this: typeof env.REGISTRY, name, options) {
    calls.push(name);
    return getByName.call(this, name, options);
  });
  const frames = vi.spyOn(RegistryShard.prototype, "webSocketMessage");
  return {
    /** Names of the objects called so far, once a call: {@link namespaces} are asked for a fresh stub each time. */
    calls,
    /** Frames the shard was sent over sockets. */
    frames: () => frames.mock.calls.length,
    writtenBy: (stub: DurableObjectStub): Promise<Written> =>
      runInDurableObject(stub, (_, { storage }) => {
        const parts = [storage, storage.kv, storage.sql].map((part) => tally(part));
        const sum = (of: (part: Tally) => number) => parts.reduce((total, part) => total + of(part), 0);
        return {
          rows: sum(({ keys, cursors }) => cursors.reduce((rows, cursor) => rows + cursor.rowsWritten, keys)),
          setAlarms: sum(({ setAlarms }) => setAlarms),
          deletedAlarms: sum(({ deletedAlarms }) => deletedAlarms),
        };
      }),
  };
}

/** Calls `note` with the receiver and the answer of each call of a method. */
function count<T extends object>(prototype: T, method: keyof T & string, note: (receiver: T, answer: unknown) => void) {
  const methods = prototype as Record<string, (this: T, ...args: unknown[]) => unknown>;
  const original = methods[method];
  if (original === undefined) throw new Error(`There is no method ${method}.`);
  vi.spyOn(methods, method).mockImplementation(function (this: T, ...args: unknown[]) {
    const answer = original.apply(this, args);
    note(this, answer);
    return answer;
  });
}
