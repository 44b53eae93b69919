import { z } from "zod";
import type { Branch, Change, JobRecord } from "../../src/job/record.ts";
import { upgrade, upgradeBranch, type StoredBranch, type StoredRecord } from "../../src/job/upgrade.ts";

const RECORD_KEY = "job";
const TABLES_KEY = "tables";
const UNWANTED_KEY = "unwanted";

/** Steps that bring the object's tables up to date; made only once a job fans out, since each CREATE is billed. */
const MIGRATIONS: readonly string[] = ["CREATE TABLE branches (number INTEGER PRIMARY KEY, branch TEXT NOT NULL)"];

const storedVersion = z.number().int().default(0);

/**
 * All storage of a job object. The record is one value, so a step is one written row; it needs no table, whose
 * creation would cost two. Branches of a fan-out are rows, so that a result rewrites one of them and not all.
 */
export class JobStore {
  readonly #storage: DurableObjectStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /** @returns null for a job that does not exist */
  load(): JobRecord | null {
    const stored = this.#storage.kv.get<StoredRecord>(RECORD_KEY);
    return stored === undefined ? null : upgrade(stored);
  }

  /** Whether the job, which does not exist, is not to be made any more. */
  get isUnwanted(): boolean {
    return this.#storage.kv.get(UNWANTED_KEY) === true;
  }

  markUnwanted(): void {
    this.#storage.kv.put(UNWANTED_KEY, true);
  }

  /** The branches of task numbers `first` to `first + total - 1`, in order. */
  branches(first: number, total: number): Branch[] {
    if (this.#tablesVersion() === 0) return [];
    const rows = this.#storage.sql.exec<{ branch: string }>(
      "SELECT branch FROM branches WHERE number >= ? AND number < ? ORDER BY number",
      first,
      first + total,
    );
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- this store is the only writer, and wrote a Branch
    return rows.toArray().map((row) => upgradeBranch(JSON.parse(row.branch) as StoredBranch));
  }

  /** Writes a change whole or not at all. An exception alone would not undo writes (hence the transaction). */
  commit(change: Pick<Change, "record" | "branches" | "writeRecord">): void {
    if (change.branches.length === 0) {
      if (change.writeRecord) this.#storage.kv.put(RECORD_KEY, change.record);
      return;
    }
    this.#storage.transactionSync(() => {
      this.#migrate();
      if (change.writeRecord) this.#storage.kv.put(RECORD_KEY, change.record);
      for (const branch of change.branches) {
        this.#storage.sql.exec(
          "INSERT INTO branches (number, branch) VALUES (?, ?) ON CONFLICT (number) DO UPDATE SET branch = excluded.branch",
          branch.number,
          JSON.stringify(branch),
        );
      }
    });
  }

  #tablesVersion(): number {
    return storedVersion.parse(this.#storage.kv.get(TABLES_KEY));
  }

  #migrate(): void {
    const version = this.#tablesVersion();
    if (version === MIGRATIONS.length) return;
    for (const statement of MIGRATIONS.slice(version)) this.#storage.sql.exec(statement);
    this.#storage.kv.put(TABLES_KEY, MIGRATIONS.length);
  }
}
