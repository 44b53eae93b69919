import type { HistoryMessage, JobEvent, JobSummary, LogLine, TaskLogMessage, WorkerEvent } from "./events.ts";
import { fingerprint } from "./fingerprint.ts";

/** Most JSON in one bound parameter: a value may not pass 2 MB, and a character can take three bytes. */
const MAX_PARAMETER_CHARS = 500_000;

const INSERT_JOB_EVENTS = `
INSERT INTO job_events (
  job_id, seq, state, event_type, duration_ms, attempt_number, context_snapshot, created_at,
  client, blueprint, status, previous_state, next_state, worker_id, task_id, error
)
SELECT
  value ->> 'job_id', value ->> 'seq', value ->> 'state', value ->> 'event_type', value ->> 'duration_ms',
  value ->> 'attempt_number', value -> 'context_snapshot', value ->> 'at',
  value ->> 'client', value ->> 'blueprint', value ->> 'status', value ->> 'previous_state', value ->> 'next_state',
  value ->> 'worker_id', value ->> 'task_id', value ->> 'error'
FROM json_each(?)
WHERE true
ON CONFLICT DO NOTHING`;

const UPSERT_JOBS = `
INSERT INTO jobs (
  job_id, client, blueprint, status, current_state, created_at, updated_at, finished_at, last_seq,
  blueprint_version, error, fingerprint, parent_id
)
SELECT
  value ->> 'job_id', value ->> 'client', value ->> 'blueprint', value ->> 'status', value ->> 'current_state',
  value ->> 'created_at', value ->> 'updated_at', value ->> 'finished_at', value ->> 'last_seq',
  value ->> 'blueprint_version', value ->> 'error', value ->> 'fingerprint', value ->> 'parent_id'
FROM json_each(?)
WHERE true
ON CONFLICT (job_id) DO UPDATE SET
  status = excluded.status,
  current_state = excluded.current_state,
  updated_at = excluded.updated_at,
  finished_at = excluded.finished_at,
  last_seq = excluded.last_seq,
  blueprint_version = excluded.blueprint_version,
  error = excluded.error,
  fingerprint = excluded.fingerprint
WHERE excluded.last_seq > jobs.last_seq`;

const INSERT_WORKER_EVENTS = `
INSERT INTO worker_events (id, worker_id, event_type, worker_info_snapshot, created_at)
SELECT
  value ->> 'id', value ->> 'worker_id', value ->> 'event_type', value -> 'worker_info_snapshot', value ->> 'at'
FROM json_each(?)
WHERE true
ON CONFLICT DO NOTHING`;

const INSERT_JOB_LOGS = `
INSERT INTO job_logs (job_id, at, task_id, line, level, message, fields, worker_id, attempt)
SELECT
  value ->> 'job_id', value ->> 'at', value ->> 'task_id', value ->> 'id', value ->> 'level', value ->> 'message',
  value -> 'fields', value ->> 'worker_id', value ->> 'attempt'
FROM json_each(?)
WHERE true
ON CONFLICT DO NOTHING`;

/**
 * Writes messages into the history database, each table by one statement with all its rows in one JSON parameter, all
 * in one transaction; only a very large batch takes several. Writing a message again, or an older one after a newer
 * one, changes nothing.
 * @throws what D1 throws; the messages can then all be written again.
 */
export async function writeHistory(db: D1Database, messages: readonly HistoryMessage[]): Promise<void> {
  const rows = rowsOf(messages);
  const statements = [
    ...bind(db, INSERT_JOB_EVENTS, rows.jobEvents),
    ...bind(db, UPSERT_JOBS, rows.jobs),
    ...bind(db, INSERT_WORKER_EVENTS, rows.workerEvents),
    ...bind(db, INSERT_JOB_LOGS, rows.jobLogs),
  ];
  if (statements.length > 0) await db.batch(statements);
}

type JobEventRow = JobEvent & Pick<JobSummary, "job_id" | "client" | "blueprint">;
type JobLogRow = LogLine & Omit<TaskLogMessage["task_log"], "lines">;
type JobRow = JobSummary & { last_seq: number; fingerprint: string | null };

/** What a batch of messages writes. Of each job only the newest summary remains. */
export function rowsOf(messages: readonly HistoryMessage[]): {
  jobEvents: JobEventRow[];
  jobs: JobRow[];
  workerEvents: WorkerEvent[];
  jobLogs: JobLogRow[];
} {
  const jobEvents: JobEventRow[] = [];
  const jobs = new Map<string, JobRow>();
  const workerEvents: WorkerEvent[] = [];
  const jobLogs: JobLogRow[] = [];
  for (const message of messages) {
    if ("worker_event" in message) {
      workerEvents.push(message.worker_event);
      continue;
    }
    if ("task_log" in message) {
      const { lines, ...of } = message.task_log;
      jobLogs.push(...lines.map((line) => ({ ...line, ...of })));
      continue;
    }
    const { job, events } = message;
    const { job_id, client, blueprint } = job;
    jobEvents.push(...events.map((event) => ({ ...event, job_id, client, blueprint })));
    const last_seq = Math.max(...events.map(({ seq }) => seq));
    const known = jobs.get(job_id);
    if (known !== undefined && known.last_seq >= last_seq) continue;
    jobs.set(job_id, { ...job, last_seq, fingerprint: job.error === null ? null : fingerprint(job.error) });
  }
  return { jobEvents, jobs: [...jobs.values()], workerEvents, jobLogs };
}

function bind(db: D1Database, statement: string, rows: readonly unknown[]): D1PreparedStatement[] {
  return jsonArrays(rows, MAX_PARAMETER_CHARS).map((json) => db.prepare(statement).bind(json));
}

/** Packs rows into as few JSON arrays as the length allows. A row longer than that stands alone. */
export function jsonArrays(rows: readonly unknown[], maxChars: number): string[] {
  const arrays: string[] = [];
  let packed: string[] = [];
  let chars = 0;
  for (const row of rows) {
    const json = JSON.stringify(row);
    if (packed.length > 0 && chars + json.length > maxChars) {
      arrays.push(`[${packed.join()}]`);
      packed = [];
      chars = 0;
    }
    packed.push(json);
    chars += json.length + 1;
  }
  return packed.length === 0 ? arrays : [...arrays, `[${packed.join()}]`];
}
