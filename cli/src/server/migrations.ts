import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";

/** The part of D1 that migrations need. */
export interface MigrationDatabase {
  prepare(sql: string): MigrationStatement;
  batch(statements: MigrationStatement[]): Promise<unknown>;
}
export interface MigrationStatement {
  bind(...values: unknown[]): MigrationStatement;
  raw(): Promise<unknown[][]>;
}

/** The table in which `wrangler d1 migrations apply` keeps its own record; same name and shape, so that both tools agree. */
const RECORD = `CREATE TABLE IF NOT EXISTS d1_migrations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT UNIQUE,
  applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
)`;

/**
 * Applies the migrations of a folder that the database has not had yet, in the order of their names.
 * Each is one transaction together with its record, so a start that was cut short is simply repeated.
 *
 * @returns the names applied
 */
export async function applyMigrations(database: MigrationDatabase, folder: string): Promise<string[]> {
  await database.batch([database.prepare(RECORD)]);
  const done = new Set((await database.prepare("SELECT name FROM d1_migrations").raw()).flat());
  const pending = (await migrationFiles(folder)).filter((name) => !done.has(name));
  for (const name of pending) {
    const statements = splitStatements(await readFile(join(folder, name), "utf8"));
    // In order, one after the other: a later migration builds on the earlier ones.
    await database.batch([
      ...statements.map((sql) => database.prepare(sql)),
      database.prepare("INSERT INTO d1_migrations (name) VALUES (?)").bind(name),
    ]);
  }
  return pending;
}

async function migrationFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return names.filter((name) => name.endsWith(".sql")).toSorted();
}

/** Splits a file that drizzle-kit wrote: its marker stands between the statements. Empty parts and comments alone are left out. */
export function splitStatements(sql: string): string[] {
  return sql
    .split("--> statement-breakpoint")
    .map((statement) => statement.trim())
    .filter((statement) => statement.replaceAll(/--.*$/gm, "").trim() !== "");
}
