import type { ProgressUpdate, TaskPayload } from "./protocol/index.ts";
import { atLeastRetryAfter, exponentialDelay } from "./backoff.ts";
import { Heartbeat, heartbeatBody } from "./heartbeat.ts";
import type { LinkParts } from "./link-parts.ts";
import type { Outcome } from "./outcome.ts";
import { ResultPosting, undeliverable } from "./result-posting.ts";
import { sleep, whenAborted } from "./sleep.ts";
import type { TaskOrigin } from "./task-pool.ts";
import type { Transport } from "./transport.ts";

const RETRY_BOUNDS = { baseMs: 1_000, capMs: 60_000 };

/** Polls are at least this far apart when they find nothing: some servers answer "no task" without waiting. */
const MIN_EMPTY_POLL_MS = 1_000;

/** Tasks by repeated `GET tasks/next`, everything else by HTTP too. */
export class LongPollTransport implements Transport, TaskOrigin {
  readonly #parts: LinkParts;
  readonly #posting: ResultPosting;
  readonly #heartbeat: Heartbeat;
  /** Results on their way, with their tasks. */
  readonly #deliveries = new Map<Promise<void>, string>();
  readonly #draining = new AbortController();
  readonly #closed = new AbortController();

  constructor(parts: LinkParts) {
    this.#parts = parts;
    this.#posting = new ResultPosting(parts);
    this.#heartbeat = new Heartbeat(parts, () =>
      heartbeatBody(parts.pool, parts.supportedTasks, this.#draining.signal.aborted, this.#currentTasks()),
    );
  }

  async run(): Promise<void> {
    this.#heartbeat.start();
    await this.#poll();
    await whenAborted(this.#closed.signal);
    this.#heartbeat.stop();
  }

  drain(): void {
    this.#draining.abort();
    this.#heartbeat.announceChange();
  }

  async settled(): Promise<void> {
    while (this.#deliveries.size > 0) await Promise.all(this.#deliveries.keys());
  }

  close(): void {
    this.#draining.abort();
    this.#closed.abort();
  }

  deliver(task: TaskPayload, outcome: Outcome): void {
    if (this.#closed.signal.aborted) return;
    const delivery = this.#deliver(task, outcome).finally(() => this.#deliveries.delete(delivery));
    this.#deliveries.set(delivery, task.task_id);
  }

  /** What runs, and what has run but is not handed over yet. */
  #currentTasks(): string[] {
    const running = this.#parts.pool.heldFrom(this).map(({ task_id }) => task_id);
    return [...running, ...this.#deliveries.values()];
  }

  async reportProgress(update: ProgressUpdate): Promise<void> {
    const { http, configuration, logger } = this.#parts;
    const reply = await http.sendProgress({ ...update, worker_id: configuration.workerId });
    if (!reply.ok) logger.debug("progress.not_sent", { error: reply.failure.message });
  }

  async #deliver(task: TaskPayload, outcome: Outcome): Promise<void> {
    const { signal } = this.#closed;
    const failure = await this.#posting.post(task, outcome, signal);
    // A result the orchestrator will never take; the job should learn of it now, not when the lease ends.
    if (failure?.status === 413 || failure?.status === 400) {
      await this.#posting.post(task, undeliverable(failure), signal);
    }
  }

  async #poll(): Promise<void> {
    const { http, registration, pool, configuration, random, logger } = this.#parts;
    const { signal } = this.#draining;
    let failures = 0;
    while (!signal.aborted) {
      await pool.room(signal);
      if (signal.aborted) return;
      const askedAt = Date.now();
      const reply = await http.nextTask(configuration.taskPollTimeoutMs, signal);
      if (reply.ok) {
        failures = 0;
        if (reply.value !== undefined) pool.start(reply.value, this);
        else await sleep(askedAt + MIN_EMPTY_POLL_MS - Date.now(), signal);
        continue;
      }
      if (signal.aborted) return;
      const { status, message, retryAfterMs } = reply.failure;
      const backoffMs = exponentialDelay(failures++, RETRY_BOUNDS, random);
      const delayMs = Math.round(atLeastRetryAfter(backoffMs, retryAfterMs, random));
      logger.warn("poll.failed", { error: message, retry_in_ms: delayMs });
      await sleep(delayMs, signal);
      if (status === 404) await registration.renew(signal);
    }
  }
}
