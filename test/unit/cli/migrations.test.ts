import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type MigrationDatabase,
  type MigrationStatement,
  applyMigrations,
  splitStatements,
} from "../../../cli/src/server/migrations.ts";

describe("a migration file is split into statements", () => {
  test("at drizzle-kit's marker", () => {
    const file = "CREATE TABLE a (x);\n--> statement-breakpoint\nCREATE INDEX b ON a (x);\n";
    expect(splitStatements(file)).toEqual(["CREATE TABLE a (x);", "CREATE INDEX b ON a (x);"]);
  });

  test("and parts without one are left out", () => {
    const file = "-- only a remark\n--> statement-breakpoint\n\n--> statement-breakpoint\nSELECT 1;";
    expect(splitStatements(file)).toEqual(["SELECT 1;"]);
  });
});

describe("migrations", () => {
  let folder: string;
  let sqlite: DatabaseSync;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "batuta-migrations-"));
    sqlite = new DatabaseSync(":memory:");
  });
  afterEach(async () => {
    sqlite.close();
    await rm(folder, { recursive: true });
  });
  const names = () =>
    sqlite
      .prepare("SELECT name FROM d1_migrations ORDER BY id")
      .all()
      .map(({ name }) => name);

  test("are applied in the order of their names, each once", async () => {
    await writeFile(join(folder, "0001_second.sql"), "ALTER TABLE jobs ADD COLUMN b;");
    await writeFile(join(folder, "0000_first.sql"), "CREATE TABLE jobs (a);");
    await writeFile(join(folder, "journal.json"), "{}");
    expect(await applyMigrations(d1(sqlite), folder)).toEqual(["0000_first.sql", "0001_second.sql"]);
    expect(await applyMigrations(d1(sqlite), folder)).toEqual([]);
    expect(names()).toEqual(["0000_first.sql", "0001_second.sql"]);
  });

  test("leave nothing behind when one fails, and are tried again", async () => {
    const file = join(folder, "0000_first.sql");
    await writeFile(file, "CREATE TABLE jobs (a);\n--> statement-breakpoint\nCREATE TABLE jobs (a);");
    await expect(applyMigrations(d1(sqlite), folder)).rejects.toThrow("already exists");
    expect(names()).toEqual([]);
    await writeFile(file, "CREATE TABLE jobs (a);");
    expect(await applyMigrations(d1(sqlite), folder)).toEqual(["0000_first.sql"]);
  });
});

/** D1 as far as migrations use it, on SQLite itself: a batch is one transaction. */
function d1(sqlite: DatabaseSync): MigrationDatabase {
  const statement = (sql: string, values: string[] = []): MigrationStatement => ({
    bind: (...bound) => statement(sql, bound.map(String)),
    raw: async () =>
      sqlite
        .prepare(sql)
        .all(...values)
        .map((row) => Object.values(row)),
  });
  return {
    prepare: (sql) => statement(sql),
    batch: async (statements) => {
      sqlite.exec("BEGIN");
      try {
        for (const each of statements) await each.raw();
        sqlite.exec("COMMIT");
      } catch (error) {
        sqlite.exec("ROLLBACK");
        throw error;
      }
    },
  };
}
