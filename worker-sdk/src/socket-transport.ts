import type { HeldTask, ProgressUpdate, ServerFrame, TaskPayload, WorkerFrame } from "./protocol/index.ts";
import { atLeastRetryAfter, decorrelatedDelay } from "./backoff.ts";
import type { RequestFailure } from "./http-client.ts";
import type { LinkParts } from "./link-parts.ts";
import { resultOf, type Outcome } from "./outcome.ts";
import { ResultOutbox, type PendingResult } from "./result-outbox.ts";
import { logAcknowledgement, ResultPosting, undeliverable } from "./result-posting.ts";
import type { KeptResult } from "./result-spool.ts";
import { sleep } from "./sleep.ts";
import { SocketConnection, type ConnectionEnd } from "./socket-connection.ts";
import type { TaskOrigin } from "./task-pool.ts";
import type { Transport } from "./transport.ts";

/** Larger results go by HTTP: the orchestrator takes frames up to this size only. */
const MAX_FRAME_BYTES = 256 * 1024;

const RECONNECT_BOUNDS = { baseMs: 500, capMs: 30_000 };
/** A connection that lived this long was a good one: the next break starts again with a short delay. */
const STABLE_AFTER_MS = 10_000;
/** The orchestrator remembers a connection's leases in a small space; a result is taken without its lease being claimed, too. */
const MAX_CLAIMS = 64;
const WELCOME_TIMEOUT_MS = 15_000;

/** Tasks, results, progress and cancellations over one WebSocket, opened again whenever it breaks. */
export class SocketTransport implements Transport, TaskOrigin {
  readonly #parts: LinkParts;
  readonly #posting: ResultPosting;
  readonly #outbox: ResultOutbox;
  readonly #closed = new AbortController();
  #connection: SocketConnection | undefined;
  #welcomed = false;
  /** Leases named in the last `hello`; a `welcome` answers for these only. */
  #claimed = new Set<string>();
  #introducedAgain = false;
  #draining = false;
  #slots: number;
  readonly #taskListeners: Array<() => void> = [];
  #welcomeTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(parts: LinkParts) {
    this.#parts = parts;
    this.#posting = new ResultPosting(parts);
    this.#outbox = new ResultOutbox(parts.orchestrator.url, parts.spool);
    this.#slots = parts.configuration.maxConcurrentTasks;
  }

  async run(): Promise<void> {
    const { orchestrator, presence, registration, random, logger } = this.#parts;
    const { signal } = this.#closed;
    let delayMs = 0;
    let refusedAtOpening = false;
    while (!signal.aborted) {
      // Why a socket does not open is not told; a registration by HTTP finds out, and notices a long absence.
      const failure: RequestFailure | undefined = refusedAtOpening ? await registration.attempt(signal) : undefined;
      const connectedAt = Date.now();
      const end: ConnectionEnd = failure === undefined ? await this.#connect() : endOf(failure);
      if (signal.aborted) return;
      presence.set("away");
      refusedAtOpening = !end.opened;
      if (end.opened && Date.now() - connectedAt >= STABLE_AFTER_MS) delayMs = 0;
      // The first time only a moment, so that a deploy of the orchestrator is hardly felt.
      delayMs =
        delayMs === 0 ? random() * RECONNECT_BOUNDS.baseMs : decorrelatedDelay(delayMs, RECONNECT_BOUNDS, random);
      const waitMs = Math.round(atLeastRetryAfter(delayMs, failure?.retryAfterMs, random));
      logger.warn("socket.closed", { orchestrator: orchestrator.url, ...end, reconnect_in_ms: waitMs });
      await sleep(waitMs, signal);
    }
  }

  drain(): void {
    this.#draining = true;
    this.#send({ type: "drain" });
  }

  /** How many tasks the orchestrator may have here at once from now on, those it has included. */
  offerSlots(slots: number): void {
    if (slots === this.#slots) return;
    this.#slots = slots;
    this.#send({ type: "state", slots });
  }

  /** Calls `listener` before each task that arrives is started. */
  onTask(listener: () => void): void {
    this.#taskListeners.push(listener);
  }

  settled(): Promise<void> {
    return this.#outbox.empty();
  }

  restore(kept: KeptResult): void {
    this.#outbox.restore(kept);
  }

  close(): void {
    this.#closed.abort();
    this.#connection?.close(1000, "worker stopped");
  }

  deliver(task: TaskPayload, outcome: Outcome): void {
    this.#sendResult(this.#outbox.add(resultOf(task, outcome, this.#parts.configuration.workerId)));
  }

  async reportProgress(update: ProgressUpdate): Promise<void> {
    this.#send({ type: "progress_update", ...update });
  }

  async #connect(): Promise<ConnectionEnd> {
    const { configuration, orchestrator, openSocket, logger } = this.#parts;
    const { workerId, heartbeatIntervalMs } = configuration;
    const { url: orchestratorUrl, token } = orchestrator;
    const url = `${orchestratorUrl.replace(/^http/, "ws")}/_worker/ws/${workerId}`;
    this.#connection = new SocketConnection(() => openSocket(url, token), heartbeatIntervalMs, {
      onOpen: () => this.#sendHello(),
      onFrame: (frame) => this.#receive(frame),
      onUnknownFrame: () => logger.debug("frame.unknown"),
      // An acknowledgement that did not come in two beats is asked for by sending the result again.
      onBeat: () => this.#sendResults(Date.now() - 2 * heartbeatIntervalMs),
    });
    const end = await this.#connection.ended;
    clearTimeout(this.#welcomeTimer);
    this.#connection = undefined;
    this.#welcomed = false;
    this.#introducedAgain = false;
    return end;
  }

  #receive(frame: ServerFrame): void {
    const { pool, logger } = this.#parts;
    switch (frame.type) {
      case "welcome":
        return this.#welcome(frame.current_tasks);
      case "task":
        for (const listener of this.#taskListeners) listener();
        return pool.start(frame.task, this);
      case "result_ack":
        logAcknowledgement(logger, frame.task_id, frame);
        return this.#outbox.acknowledge(frame.task_id, frame.attempt);
      case "cancel_task":
        return pool.abort(frame.task_id, "cancelled");
      case "event_ack":
        return;
      case "drain":
      case "update":
      case "command":
        return logger.info("orchestrator.command", { command: frame.command });
      case "error":
        logger.warn("orchestrator.error", { code: frame.code, error: frame.error });
        if (frame.code === "unknown_worker") void this.#introduceAgain();
    }
  }

  #sendHello(): void {
    const { supportedTasks, pool } = this.#parts;
    clearTimeout(this.#welcomeTimer);
    this.#welcomeTimer = setTimeout(() => this.#connection?.close(4002, "no welcome"), WELCOME_TIMEOUT_MS);
    const claims = [...pool.heldFrom(this).map(leaseOf), ...this.#outbox.pending.flatMap(leaseClaimed)];
    const held = claims.slice(0, MAX_CLAIMS);
    this.#claimed = new Set(held.map(({ lease }) => lease));
    this.#send({
      type: "hello",
      slots: this.#slots,
      supported_tasks: [...supportedTasks],
      current_tasks: held,
    });
    if (this.#draining) this.#send({ type: "drain" });
  }

  /** Registers and says hello again, once a connection: an orchestrator that goes on forgetting gets a pause instead. */
  async #introduceAgain(): Promise<void> {
    const connection = this.#connection;
    clearTimeout(this.#welcomeTimer);
    if (this.#introducedAgain) return connection?.close(4003, "unknown worker after registration");
    this.#introducedAgain = true;
    await this.#parts.registration.renew(this.#closed.signal);
    if (connection?.isOpen) this.#sendHello();
  }

  /**
   * Running tasks without a lease any more are told to end. Finished ones are reported even so: their job decides what a
   * result is worth, and the lease may only have been lost from sight.
   */
  #welcome(honoured: readonly string[]): void {
    const { orchestrator, pool, presence, logger } = this.#parts;
    clearTimeout(this.#welcomeTimer);
    this.#welcomed = true;
    logger.info("socket.welcomed", { orchestrator: orchestrator.url });
    presence.set("here");
    for (const { task_id, lease } of pool.heldFrom(this)) {
      if (this.#claimed.has(lease) && !honoured.includes(task_id)) pool.abort(task_id, "lease_lost");
    }
    this.#sendResults(Date.now());
  }

  /** Sends the pending results that were not sent since `before`, epoch milliseconds. */
  #sendResults(before: number): void {
    for (const result of this.#outbox.pending) {
      if (result.sentAt <= before) this.#sendResult(result);
    }
  }

  #sendResult(result: PendingResult): void {
    if (!this.#welcomed) return;
    const frame: WorkerFrame = { type: "result", ...result.report };
    const text = JSON.stringify(frame);
    if (new TextEncoder().encode(text).byteLength > MAX_FRAME_BYTES) {
      result.sentAt = Infinity;
      void this.#postResult(result);
      return;
    }
    result.sentAt = Date.now();
    this.#connection?.send(text);
  }

  /** What HTTP does not bring home either is replaced by a failure small enough for a frame. */
  async #postResult(result: PendingResult): Promise<void> {
    const refusal = await this.#posting.post(result.report, ({ retryable }) => !retryable, this.#closed.signal);
    if (this.#closed.signal.aborted) return;
    if (refusal !== undefined) this.#sendResult(this.#outbox.add(undeliverable(result.report, refusal)));
    this.#outbox.remove(result);
  }

  #send(frame: WorkerFrame): void {
    this.#connection?.send(JSON.stringify(frame));
  }
}

function leaseOf({ job_id, task_id, attempt, lease }: TaskPayload): HeldTask {
  return { job_id, task_id, attempt, lease };
}

function leaseClaimed({ report: { job_id, task_id, attempt, lease } }: PendingResult): HeldTask[] {
  return attempt === undefined || lease === undefined ? [] : [{ job_id, task_id, attempt, lease }];
}

function endOf({ message }: RequestFailure): ConnectionEnd {
  return { opened: false, reason: message };
}
