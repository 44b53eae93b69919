import { createHash } from "node:crypto";
import type { JobLogLine, TaskLog } from "@batuta/worker/protocol";
import { MAX_LOG_FIELDS_CHARS, MAX_LOG_LINE_CHARS, MAX_LOG_MESSAGE_BYTES } from "../limits.ts";
import type { LogLine, TaskLogMessage } from "./events.ts";

/** The latest time that a cursor can name, epoch ms; a worker's clock may say anything. */
const LATEST = 10 ** 15 - 1;

/** Whose lines they are. */
export interface LogSource {
  readonly workerId: string;
  readonly attempt: number;
}

/**
 * Lines of a running task as messages of the history queue, cut to what is kept of one line. What they say is not
 * looked at. A line is named by its time, its place among those of the same time, and what it says, so that lines that
 * are sent again are not written again.
 */
export function logMessages(log: TaskLog, lines: readonly JobLogLine[], source: LogSource): TaskLogMessage[] {
  const places = new Map<number, number>();
  const messages: TaskLogMessage[] = [];
  let room = 0;
  for (const line of lines) {
    const at = Math.min(Math.max(Math.round(line.at) || 0, 0), LATEST);
    const place = places.get(at) ?? 0;
    places.set(at, place + 1);
    const kept = keptOf(line);
    const named: LogLine = { id: nameOf(log.task_id, source.attempt, place, kept), at, ...kept };
    const bytes = encoder.encode(JSON.stringify(named)).byteLength + 1;
    if (bytes > room) {
      const { job_id, task_id } = log;
      messages.push({
        v: 1,
        task_log: { job_id, task_id, worker_id: source.workerId, attempt: source.attempt, lines: [] },
      });
      room = MAX_LOG_MESSAGE_BYTES;
    }
    messages.at(-1)?.task_log.lines.push(named);
    room -= bytes;
  }
  return messages;
}

type Kept = Pick<LogLine, "level" | "message" | "fields">;

function keptOf({ level, message, fields }: JobLogLine): Kept {
  const long = message.length > MAX_LOG_LINE_CHARS;
  const text = long ? `${message.slice(0, MAX_LOG_LINE_CHARS)}… (${message.length} characters)` : message;
  if (fields === undefined) return { level, message: text };
  const chars = JSON.stringify(fields).length;
  return {
    level,
    message: text,
    fields: chars > MAX_LOG_FIELDS_CHARS ? { omitted: `The fields had ${chars} characters.` } : fields,
  };
}

function nameOf(taskId: string, attempt: number, place: number, kept: Kept): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([taskId, attempt, kept]))
    .digest("hex")
    .slice(0, 10);
  return `${String(place).padStart(4, "0")}-${hash}`;
}

const encoder = new TextEncoder();
