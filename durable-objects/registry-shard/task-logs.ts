import type { TaskLog } from "@batuta/worker/protocol";
import { logMessages } from "../../src/history/task-log.ts";
import { NOT_HELD } from "../../src/job/worker-event.ts";
import { MAX_LOG_LINES, MAX_TASK_LOG_LINES } from "../../src/limits.ts";
import type { QueueProducer } from "../../src/queue-producer.ts";
import type { Roster } from "./roster.ts";

/** Tasks whose logs are remembered, and for how long after they were given back. */
const REMEMBERED = 2_000;
const JUST_HELD_MS = 60_000;

/** How lines of a log were taken. */
export interface LogTaken {
  readonly status: "log_accepted" | "ignored";
  /** Lines that were kept. */
  readonly lines: number;
  /** Why lines were not. */
  readonly message?: string;
}

interface Written {
  readonly workerId: string;
  readonly jobId: string;
  readonly attempt: number;
  lines: number;
  heldAt: number;
}

/**
 * The logs of tasks on their way from workers to history. Only the worker that holds a task may write to its log, and
 * for a minute the one that held it, for its last lines may come after its result. What is remembered for that, and the
 * count of lines, is in memory only: an eviction begins both anew.
 */
export class TaskLogs {
  readonly #roster: Roster;
  readonly #history: QueueProducer;
  /** By task, the one that wrote last at the end. */
  readonly #written = new Map<string, Written>();

  constructor(roster: Roster, history: QueueProducer) {
    this.#roster = roster;
    this.#history = history;
  }

  /** Notes that a worker is giving back a task, whose last lines may still be on their way. */
  givenBack(taskId: string, now: number): void {
    const holder = this.#roster.holderOf(taskId);
    const held = holder?.leases.get(taskId);
    if (holder === null || held === undefined) return;
    const known = this.#written.get(taskId);
    const lines = known?.attempt === held.attempt ? known.lines : 0;
    this.#note(taskId, { workerId: holder.id, jobId: held.jobId, attempt: held.attempt, lines, heldAt: now });
  }

  /** Takes lines of a task. Durable in the queue once it resolves; rejects when the queue does not take them. */
  async take(workerId: string, log: TaskLog, now: number): Promise<LogTaken> {
    const written = this.#writing(workerId, log, now);
    if (written === null) {
      return { status: "ignored", lines: 0, message: NOT_HELD };
    }
    const room = Math.max(0, MAX_TASK_LOG_LINES - written.lines);
    const lines = log.lines.slice(0, Math.min(MAX_LOG_LINES, room));
    const messages = logMessages(log, lines, written);
    const isLast = lines.length === room && room > 0;
    if (isLast) messages.push(...logMessages(log, [fullLine(now)], written));
    // Counted before they are sent: lines that come meanwhile must not have the same room.
    written.lines += lines.length;
    await this.#history.send(messages);
    if (lines.length === log.lines.length) return { status: "log_accepted", lines: lines.length };
    const message =
      lines.length === room
        ? `The log of a task takes ${MAX_TASK_LOG_LINES} lines an attempt.`
        : `${MAX_LOG_LINES} lines are taken at once.`;
    return { status: "log_accepted", lines: lines.length, message };
  }

  /** Null when the task is not with this worker, and was not a moment ago. */
  #writing(workerId: string, log: TaskLog, now: number): Written | null {
    const { task_id: taskId, job_id: jobId } = log;
    const known = this.#written.get(taskId);
    const held = this.#roster.heldBy(workerId, log);
    if (held !== null) {
      if (known?.attempt === held.attempt) {
        known.heldAt = now;
        return known;
      }
      const fresh = { workerId, jobId, attempt: held.attempt, lines: 0, heldAt: now };
      this.#note(taskId, fresh);
      return fresh;
    }
    const justHeld = known?.workerId === workerId && known.jobId === jobId && known.heldAt > now - JUST_HELD_MS;
    return known !== undefined && justHeld ? known : null;
  }

  #note(taskId: string, written: Written): void {
    this.#written.delete(taskId);
    this.#written.set(taskId, written);
    const [oldest] = this.#written.keys();
    if (this.#written.size > REMEMBERED && oldest !== undefined) this.#written.delete(oldest);
  }
}

function fullLine(now: number) {
  return {
    at: now,
    level: "warn",
    message: `The log of this attempt is full: ${MAX_TASK_LOG_LINES} lines were kept, what follows is not.`,
  } as const;
}
