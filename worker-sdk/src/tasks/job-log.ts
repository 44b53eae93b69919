import type { JobLogLine, JobLogLevel, JsonObject } from "../protocol/index.ts";
import { sleep } from "../sleep.ts";
import type { TaskLogger } from "./task-context.ts";

const MAX_MESSAGE_CHARS = 1_000;
/** Lines of one message; as many are sent without waiting for the second to pass. */
const BATCH_LINES = 50;
const BATCH_INTERVAL_MS = 1_000;
/** Shortest time between two messages. */
const MIN_INTERVAL_MS = 100;
/** Lines that wait at most; then the oldest are let go. */
const MAX_WAITING_LINES = 1_000;

/**
 * The log lines of one task on their way to its job: in batches, once a second or when 50 are there. A handler that writes
 * faster than they can be sent, or while there is no connection, loses the oldest lines, and the log says how many.
 */
export class JobLog implements TaskLogger {
  readonly #send: (lines: JobLogLine[]) => Promise<boolean>;
  #waiting: JobLogLine[] = [];
  #dropped = 0;
  #last = 0;
  #sending: Promise<void> | undefined;
  #enough = new AbortController();
  readonly #finished = new AbortController();

  /** @param send hands lines on; must not reject; false when they could not be sent, and are to be tried again */
  constructor(send: (lines: JobLogLine[]) => Promise<boolean>) {
    this.#send = send;
  }

  debug(message: string, fields?: JsonObject): void {
    this.#write("debug", message, fields);
  }

  info(message: string, fields?: JsonObject): void {
    this.#write("info", message, fields);
  }

  warn(message: string, fields?: JsonObject): void {
    this.#write("warn", message, fields);
  }

  error(message: string, fields?: JsonObject): void {
    this.#write("error", message, fields);
  }

  /** Sends what waits, so that it arrives before the result; later lines are dropped. */
  async finish(): Promise<void> {
    this.#finished.abort();
    this.#enough.abort();
    await this.#sending;
    while (this.#waiting.length > 0 && (await this.#sendBatch()));
  }

  /** Drops what waits, and later lines: nobody wants to read them any more. */
  discard(): void {
    this.#finished.abort();
    this.#enough.abort();
    this.#waiting = [];
  }

  /** @param message a text, but programs without types may send anything */
  #write(level: JobLogLevel, message: unknown, fields: JsonObject | undefined): void {
    if (this.#finished.signal.aborted) return;
    this.#waiting.push({
      at: this.#time(),
      level,
      message: String(message).slice(0, MAX_MESSAGE_CHARS),
      ...(fields !== undefined && { fields: sendable(fields) }),
    });
    if (this.#waiting.length > MAX_WAITING_LINES) {
      this.#waiting.shift();
      this.#dropped++;
    }
    if (this.#waiting.length >= BATCH_LINES) this.#enough.abort();
    this.#sending ??= this.#sendAll();
  }

  /** Lines of one millisecond follow each other by a thousandth of it, whatever message they go in. */
  #time(): number {
    const now = Date.now();
    this.#last = now > this.#last ? now : Math.round((this.#last + 0.001) * 1_000) / 1_000;
    return this.#last;
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#finished.signal.aborted) {
      await sleep(MIN_INTERVAL_MS, this.#finished.signal);
      await sleep(BATCH_INTERVAL_MS - MIN_INTERVAL_MS, this.#enough.signal);
      if (this.#finished.signal.aborted) break;
      const sent = await this.#sendBatch();
      // Where nothing can be sent, a full buffer is no reason to hurry.
      this.#enough = new AbortController();
      if (sent && this.#waiting.length >= BATCH_LINES) this.#enough.abort();
    }
    this.#sending = undefined;
  }

  /** @returns whether the lines are gone */
  async #sendBatch(): Promise<boolean> {
    const note: JobLogLine[] =
      this.#dropped === 0
        ? []
        : [{ at: Date.now(), level: "warn", message: `${this.#dropped} earlier lines could not be sent.` }];
    const lines = this.#waiting.splice(0, BATCH_LINES - note.length);
    if (await this.#send([...note, ...lines])) {
      this.#dropped = 0;
      return true;
    }
    this.#waiting.unshift(...lines);
    return false;
  }
}

/** Facts that are no JSON, and so large ones that a frame could not carry, are left out. */
function sendable(fields: JsonObject): JsonObject {
  try {
    const text = JSON.stringify(fields);
    if (text.length <= 4 * MAX_MESSAGE_CHARS) return { ...fields };
    return { omitted: `The fields of this line are ${text.length} characters as JSON; 4,000 are sent.` };
  } catch {
    return { omitted: "The fields of this line are not JSON." };
  }
}
