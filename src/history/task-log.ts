import { createHash } from "node:crypto";
import type { JobLogLine, TaskLog } from "@batuta/worker/protocol";
import { MAX_LOG_FIELDS_CHARS, MAX_LOG_LINE_CHARS, MAX_LOG_MESSAGE_BYTES } from "../limits.ts";
import type { LogLine, TaskLogMessage } from "./events.ts";

/** The latest time that a cursor can name, epoch ms; a worker's clock may say anything. */
const LATEST = 10 ** 15 - 1;

/** Lines of one millisecond are told apart by thousandths of it. */
const PARTS = 1_000;

/** Whose lines they are. */
export interface LogSource {
  readonly workerId: string;
  readonly attempt: number;
}

/**
 * Lines of a running task as messages of the history queue, cut to what is kept of one line. What they say is not
 * looked at. A line is named by its time, its place among those of the same time in this request, and what it says, so
 * that lines that are sent again are not written again.
 */
export function logMessages(log: TaskLog, lines: readonly JobLogLine[], source: LogSource): TaskLogMessage[] {
  const places = new Map<number, number>();
  const messages: TaskLogMessage[] = [];
  let room = 0;
  for (const line of lines) {
    const { at, part } = timeOf(line);
    const place = places.get(at * PARTS + part) ?? 0;
    places.set(at * PARTS + part, place + 1);
    const kept = keptOf(line);
    const named: LogLine = { id: `${digits(part)}${digits(place)}-${hashOf(log, source, kept)}`, at, ...kept };
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

/** A line's time in whole milliseconds, and the thousandths that are left. */
function timeOf({ at }: JobLogLine): { at: number; part: number } {
  const time = Math.min(Math.max(at || 0, 0), LATEST);
  const whole = Math.floor(time);
  return { at: whole, part: Math.min(Math.round((time - whole) * PARTS), PARTS - 1) };
}

function digits(number: number): string {
  return String(number).padStart(3, "0");
}

function hashOf({ task_id: taskId }: TaskLog, { attempt }: LogSource, kept: Kept): string {
  return createHash("sha256")
    .update(JSON.stringify([taskId, attempt, kept]))
    .digest("hex")
    .slice(0, 10);
}

const encoder = new TextEncoder();
