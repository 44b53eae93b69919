import type { ProgressUpdate, TaskLog, TaskPayload } from "../protocol/index.ts";
import { atLeastRetryAfter, exponentialDelay } from "../backoff.ts";
import { Heartbeat, heartbeatBody } from "./heartbeat.ts";
import type { LinkParts } from "../orchestrators/link-parts.ts";
import { resultOf, type Outcome } from "../tasks/outcome.ts";
import type { NamedEvent } from "../tasks/pooled-task.ts";
import { postEvent, postLog } from "./posting.ts";
import { ResultOutbox, type PendingResult } from "../results/result-outbox.ts";
import { ResultPosting, undeliverable } from "../results/result-posting.ts";
import type { KeptResult } from "../results/result-spool.ts";
import { sleep, whenAborted } from "../sleep.ts";
import type { EventAnswer } from "../tasks/task-context.ts";
import type { TaskOrigin } from "../tasks/task-pool.ts";
import type { Transport } from "../orchestrators/transport.ts";

/** Results of an earlier run that are handed over at the same time. */
const RESTORE_LANES = 4;

/** A process that wants to end must not wait long for an orchestrator that is away. */
const GOODBYE_MS = 2_000;

/** Tasks by repeated `GET tasks/next`, everything else by HTTP too. */
export class LongPollTransport implements Transport, TaskOrigin {
  readonly #parts: LinkParts;
  readonly #posting: ResultPosting;
  readonly #heartbeat: Heartbeat;
  readonly #several: boolean;
  readonly #outbox: ResultOutbox;
  readonly #draining = new AbortController();
  readonly #closed = new AbortController();

  readonly #readyListeners: Array<() => void> = [];
  #failures = 0;
  #running = false;
  #pausing = false;

  /** @param several whether there are other orchestrators to turn to while this one is away */
  constructor(parts: LinkParts, several: boolean) {
    this.#parts = parts;
    this.#several = several;
    this.#posting = new ResultPosting(parts);
    this.#outbox = new ResultOutbox(parts.orchestrator.url, parts.spool);
    parts.registration.nameTasks(() => this.#currentTasks());
    this.#heartbeat = new Heartbeat(parts, this, () =>
      heartbeatBody(parts, this.#draining.signal.aborted, this.#currentTasks()),
    );
  }

  async run(): Promise<void> {
    if (this.#closed.signal.aborted) return;
    this.#parts.presence.set("here");
    this.#heartbeat.start();
    const restored = this.#outbox.pending.values();
    for (let lane = 0; lane < RESTORE_LANES; lane++) void this.#bringAllHome(restored);
    this.#running = true;
    this.#nowReady();
    await whenAborted(this.#closed.signal);
    this.#heartbeat.stop();
  }

  drain(): void {
    this.#draining.abort();
    this.#heartbeat.announceChange();
  }

  settled(): Promise<void> {
    return this.#outbox.empty();
  }

  restore(kept: KeptResult): void {
    this.#outbox.restore(kept);
  }

  close(): void {
    if (this.#running) void this.#sayGoodbye();
    this.#draining.abort();
    this.#closed.abort();
  }

  deliver(task: TaskPayload, outcome: Outcome): void {
    const result = this.#outbox.add(resultOf(task, outcome, this.#parts.configuration.workerId));
    if (!this.#closed.signal.aborted) void this.#bringHome(result);
  }

  /** Operators see at once that the worker has left, and not when nothing was heard of it for long. Nothing depends on it. */
  #sayGoodbye(): Promise<unknown> {
    const left = { ...heartbeatBody(this.#parts, true, this.#currentTasks()), status: "offline" };
    return this.#parts.http.heartbeat(left, AbortSignal.timeout(GOODBYE_MS));
  }

  /** What runs, and what has run but is not handed over yet. */
  #currentTasks(): string[] {
    const running = this.#parts.pool.heldFrom(this).map(({ task_id }) => task_id);
    return [...running, ...this.#outbox.pending.map(({ report }) => report.task_id)];
  }

  async reportProgress(update: ProgressUpdate): Promise<void> {
    const { http, configuration, logger } = this.#parts;
    const reply = await http.sendProgress({ ...update, worker_id: configuration.workerId });
    if (!reply.ok) logger.debug("progress.not_sent", { error: reply.failure.message });
  }

  get secretKey(): string | undefined {
    return this.#parts.orchestrator.secretKey;
  }

  now(): number {
    return this.#parts.http.now();
  }

  sendEvent(event: NamedEvent, signal: AbortSignal): Promise<EventAnswer> {
    return postEvent(this.#parts, event, AbortSignal.any([signal, this.#closed.signal]));
  }

  async sendLog(log: TaskLog): Promise<boolean> {
    return (await postLog(this.#parts, log)) || this.#closed.signal.aborted;
  }

  async #bringAllHome(results: Iterable<PendingResult>): Promise<void> {
    for (const result of results) await this.#bringHome(result);
  }

  async #bringHome(result: PendingResult): Promise<void> {
    const { signal } = this.#closed;
    const refusal = await this.#posting.post(result.report, signal);
    // What is not brought home when the worker ends stays in the spool.
    if (signal.aborted) return;
    // A result the orchestrator will never take; the job should learn of it now, not when the lease ends.
    if (refusal !== undefined) void this.#bringHome(this.#outbox.add(undeliverable(result.report, refusal)));
    this.#outbox.remove(result);
  }

  /** Whether a poll may be sent: the worker is registered, and no pause after a failure is under way. */
  get isReady(): boolean {
    return this.#running && !this.#pausing;
  }

  onReady(listener: () => void): void {
    this.#readyListeners.push(listener);
  }

  /**
   * Asks once for a task and starts it.
   * @param waitMs how long the orchestrator may wait for one
   * @returns whether there was one
   */
  async poll(waitMs: number, signal: AbortSignal): Promise<boolean> {
    const { http, pool, presence, random, logger } = this.#parts;
    const reply = await http.nextTask(waitMs, signal);
    if (reply.ok) {
      this.#failures = 0;
      presence.set("here");
      if (reply.value !== undefined) pool.start(reply.value, this);
      return reply.value !== undefined;
    }
    if (signal.aborted) return false;
    presence.set("away");
    const { status, message, retryAfterMs } = reply.failure;
    const backoffMs = exponentialDelay(this.#failures++, this.#parts.configuration.pollBackoff, random);
    const delayMs = Math.round(atLeastRetryAfter(backoffMs, retryAfterMs, random));
    logger.warn("poll.failed", { orchestrator: this.#parts.orchestrator.url, error: message, retry_in_ms: delayMs });
    void this.#pause(delayMs, status === 404, signal);
    return false;
  }

  /** Where there are others to ask meanwhile, one that may be away is not asked for tasks before it has answered again. */
  async #pause(delayMs: number, forgotten: boolean, signal: AbortSignal): Promise<void> {
    this.#pausing = true;
    await sleep(delayMs, signal);
    if (forgotten || this.#several) await this.#parts.registration.renew(signal);
    this.#pausing = false;
    this.#nowReady();
  }

  #nowReady(): void {
    for (const listener of this.#readyListeners) listener();
  }
}
