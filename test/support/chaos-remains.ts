import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** An ended job's next alarm, for its archive, is that far away at least; one that has something to send has an early one. */
const EARLY_MS = 24 * 60 * 60_000;

/** The one number that a query answers in each database of a class of objects; null where there is none, or no such table. */
function ask(
  data: string,
  objectClass: string,
  table: string,
  query: string,
): { file: string; answer: bigint | null }[] {
  const folder = join(data, "storage", "do", `batuta-${objectClass}`);
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).filter((file) => /^[0-9a-f]{64}\.sqlite$/.test(file));
  return files.map((file) => {
    const database = new DatabaseSync(join(folder, file));
    const tables = database.prepare("SELECT name FROM sqlite_master WHERE name = ?").all(table);
    const statement = database.prepare(tables.length === 0 ? "SELECT NULL AS answer" : query);
    statement.setReadBigInts(true);
    const answer = statement.get()?.["answer"];
    database.close();
    return { file, answer: typeof answer === "bigint" ? answer : null };
  });
}

/** Of messages, those about jobs: workers come and go to the last. */
const MESSAGES = 'SELECT count(*) AS answer FROM messages WHERE body NOT LIKE \'{"v":1,"worker_event":%\'';
const WAITING = "SELECT (SELECT count(*) FROM waiting) + (SELECT count(*) FROM leases) AS answer";
/** When the runtime is to wake the object, ns since 1970. */
const ALARM = "SELECT value AS answer FROM _cf_METADATA WHERE key = 1";

/**
 * Looks into the data of a server that is not running, once all jobs have ended, for what is still to be sent, waits or is
 * held.
 * @returns what there is, in words
 */
export function findRemains(data: string): string[] {
  const early = BigInt(Date.now() + EARLY_MS) * 1_000_000n;
  const jobs = ask(data, "JobObject", "_cf_METADATA", ALARM);
  if (jobs.every(({ answer }) => answer === null)) {
    throw new Error(`No job below ${data} has an alarm: does the runtime keep them elsewhere now?`);
  }
  return [
    ...jobs.flatMap(({ file, answer }) => (answer !== null && answer < early ? [`a job's outbox (${file})`] : [])),
    ...ask(data, "QueueObject", "messages", MESSAGES).flatMap(({ file, answer }) =>
      answer === 0n ? [] : [`${answer} messages in a queue (${file})`],
    ),
    ...ask(data, "RegistryShard", "waiting", WAITING).flatMap(({ answer }) =>
      answer === 0n ? [] : [`${answer} waiting tasks or leases in the registry`],
    ),
  ];
}
