import { closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { PlainError, reasonOf } from "../plain-error.ts";

/** SQLite's result code for a database that another process holds. */
const SQLITE_BUSY = 5;

/** The folder of one server, ours until `release`. */
export interface DataFolder {
  path: string;
  release(): void;
}

/**
 * Makes the data folder if need be and takes it for this process alone.
 * The hold is a lock on a SQLite file: the system drops it when the process ends, however it ends, so there is no stale state to judge.
 *
 * @throws {PlainError} when the folder cannot be used or another server has it
 */
export function takeDataFolder(path: string): DataFolder {
  const lock = openLock(path);
  try {
    lock.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if (!isBusy(error)) throw new PlainError(`The data folder ${path} cannot be used: ${reasonOf(error)}.`);
    throw new PlainError(
      `The data folder ${path} is in use by another Batuta server. Stop that server or choose another folder with --data.`,
    );
  }
  return { path, release: () => lock.close() };
}

function openLock(path: string): DatabaseSync {
  try {
    makeFolder(path);
    const file = join(path, "server.lock");
    // SQLite does not say why it cannot open a file; the system does.
    closeSync(openSync(file, "a", 0o600));
    return new DatabaseSync(file, { timeout: 0 });
  } catch (error) {
    throw new PlainError(
      `The data folder ${path} cannot be used: ${reasonOf(error)}. Choose another with --data, or make it readable and writable.`,
    );
  }
}

/** Node's own recursive mkdir runs for ever where a folder exists and takes no entries, as /proc does. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY;
}
