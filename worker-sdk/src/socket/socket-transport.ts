import type { HeldTask, ProgressUpdate, ServerFrame, TaskLog, TaskPayload, WorkerFrame } from "../protocol/index.ts";
import type { RequestFailure } from "../http/http-client.ts";
import type { LinkParts } from "../orchestrators/link-parts.ts";
import type { Outcome } from "../tasks/outcome.ts";
import type { NamedEvent } from "../tasks/pooled-task.ts";
import { postLog } from "../http/posting.ts";
import { ReconnectPace } from "./reconnect-pace.ts";
import type { PendingResult } from "../results/result-outbox.ts";
import type { KeptResult } from "../results/result-spool.ts";
import { sleep } from "../sleep.ts";
import { StateReports } from "./state-reports.ts";
import type { EventAnswer } from "../tasks/task-context.ts";
import { fitsFrame, SocketMail } from "./socket-mail.ts";
import { SocketConnection, type ConnectionEnd, type SignFrame } from "./socket-connection.ts";
import { signedMessage, type Signer } from "../signing.ts";
import type { TaskOrigin } from "../tasks/task-pool.ts";
import type { Transport } from "../orchestrators/transport.ts";

/** The orchestrator remembers a connection's leases in a small space; a result is taken without its lease being claimed, too. */
const MAX_CLAIMS = 64;
const WELCOME_TIMEOUT_MS = 15_000;

/** Tasks, results, progress and cancellations over one WebSocket, opened again whenever it breaks. */
export class SocketTransport implements Transport, TaskOrigin {
  readonly #parts: LinkParts;
  readonly #mail: SocketMail;
  readonly #state: StateReports;
  readonly #pace: ReconnectPace;
  readonly #closed = new AbortController();
  #connection: SocketConnection | undefined;
  #welcomed = false;
  /** Leases named in the last `hello`; a `welcome` answers for these only. */
  #claimed = new Set<string>();
  #introducedAgain = false;
  #registeringAgain: Promise<void> | undefined;
  #draining = false;
  #slots: number;
  readonly #taskListeners: Array<() => void> = [];
  #welcomeTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(parts: LinkParts) {
    this.#parts = parts;
    const line = { isOpen: () => this.#welcomed, send: (text: string) => this.#connection?.send(text) };
    this.#mail = new SocketMail(parts, line, this.#closed.signal);
    this.#slots = parts.configuration.maxConcurrentTasks;
    this.#pace = new ReconnectPace(parts.random);
    this.#state = new StateReports(
      () => parts.availability.stateFor(this),
      (changes) => this.#send({ type: "state", ...changes }),
      parts.configuration.heartbeatDebounceMs,
    );
  }

  async run(): Promise<void> {
    const { orchestrator, presence, registration, availability, logger } = this.#parts;
    const { signal } = this.#closed;
    const stopListening = availability.onChange(() => this.#welcomed && this.#state.announce());
    signal.addEventListener("abort", stopListening);
    let refusedAtOpening = false;
    while (!signal.aborted) {
      // Why a socket does not open is not told; a registration by HTTP finds out, and notices a long absence.
      const failure: RequestFailure | undefined = refusedAtOpening ? await registration.attempt(signal) : undefined;
      const connectedAt = Date.now();
      const end: ConnectionEnd = failure === undefined ? await this.#connect() : endOf(failure);
      if (signal.aborted) return;
      presence.set("away");
      refusedAtOpening = !end.opened;
      const waitMs = this.#pace.next(end.opened ? Date.now() - connectedAt : 0, failure?.retryAfterMs);
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
    return this.#mail.delivered();
  }

  restore(kept: KeptResult): void {
    this.#mail.restore(kept);
  }

  close(): void {
    this.#closed.abort();
    this.#send({ type: "state", status: "offline" });
    this.#connection?.close(1000, "worker stopped");
  }

  deliver(task: TaskPayload, outcome: Outcome): void {
    this.#mail.deliver(task, outcome);
  }

  async reportProgress(update: ProgressUpdate): Promise<void> {
    this.#send({ type: "progress_update", ...update });
  }

  get secretKey(): string | undefined {
    return this.#parts.orchestrator.secretKey;
  }

  now(): number {
    return this.#parts.http.now();
  }

  sendEvent(event: NamedEvent, signal: AbortSignal): Promise<EventAnswer> {
    return this.#mail.sendEvent(event, signal);
  }

  async sendLog(log: TaskLog): Promise<boolean> {
    if (!this.#welcomed) return this.#closed.signal.aborted;
    const text = JSON.stringify({ type: "log", ...log } satisfies WorkerFrame);
    if (!fitsFrame(text)) return await postLog(this.#parts, log);
    this.#connection?.send(text);
    return true;
  }

  async #connect(): Promise<ConnectionEnd> {
    const { configuration, orchestrator, openSocket, logger, signer } = this.#parts;
    const { workerId, heartbeatIntervalMs } = configuration;
    const { url: orchestratorUrl, token } = orchestrator;
    const url = `${orchestratorUrl.replace(/^http/, "ws")}/_worker/ws/${workerId}`;
    const signed = signer === undefined ? undefined : signedSession(signer);
    this.#connection = new SocketConnection(
      () => openSocket(signed === undefined ? url : `${url}?session=${signed.session}`, token),
      heartbeatIntervalMs,
      {
        onOpen: () => this.#sendHello(),
        onFrame: (frame) => this.#receive(frame),
        onUnknownFrame: () => logger.debug("frame.unknown"),
        // An acknowledgement that did not come in two beats is asked for by sending the same again.
        onBeat: () => this.#mail.sendPending(Date.now() - 2 * heartbeatIntervalMs),
      },
      signed?.sign,
    );
    const end = await this.#connection.ended;
    clearTimeout(this.#welcomeTimer);
    this.#state.stop();
    this.#connection = undefined;
    this.#welcomed = false;
    this.#introducedAgain = false;
    return end;
  }

  #receive(frame: ServerFrame): void {
    const { pool, commands, logger } = this.#parts;
    switch (frame.type) {
      case "welcome":
        this.#pace.spreadOver(frame.reconnect_spread_ms);
        return this.#welcome(frame.current_tasks);
      case "task":
        for (const listener of this.#taskListeners) listener();
        return pool.start(frame.task, this);
      case "result_ack":
      case "event_ack":
        return this.#mail.acknowledged(frame);
      case "cancel_task":
        return pool.abort(this, frame.task_id, "cancelled");
      case "drain":
      case "update":
      case "command":
        return void commands.take(frame);
      case "error":
        logger.warn("orchestrator.error", { code: frame.code, error: frame.error });
        if (frame.code === "unknown_worker") void this.#introduceAgain();
    }
  }

  #sendHello(): void {
    const { pool } = this.#parts;
    clearTimeout(this.#welcomeTimer);
    this.#welcomeTimer = setTimeout(() => this.#connection?.close(4002, "no welcome"), WELCOME_TIMEOUT_MS);
    const claims = [...pool.heldFrom(this).map(leaseOf), ...this.#mail.pendingResults.flatMap(leaseClaimed)];
    const held = claims.slice(0, MAX_CLAIMS);
    this.#claimed = new Set(held.map(({ lease }) => lease));
    this.#send({
      type: "hello",
      slots: this.#slots,
      current_tasks: held,
      ...this.#state.hello(),
    });
    if (this.#draining) this.#send({ type: "drain" });
  }

  /** Registers and says hello again, once a connection: an orchestrator that goes on forgetting gets a pause instead. */
  async #introduceAgain(): Promise<void> {
    const connection = this.#connection;
    clearTimeout(this.#welcomeTimer);
    if (this.#introducedAgain) return connection?.close(4003, "unknown worker after registration");
    this.#introducedAgain = true;
    // One that goes on from an earlier connection is enough.
    this.#registeringAgain ??= this.#parts.registration.renew(this.#closed.signal);
    await this.#registeringAgain;
    this.#registeringAgain = undefined;
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
      if (this.#claimed.has(lease) && !honoured.includes(task_id)) pool.abort(this, task_id, "lease_lost");
    }
    this.#mail.sendPending(Date.now());
    this.#state.welcomed();
    this.#state.announce();
  }

  #send(frame: WorkerFrame): void {
    this.#connection?.send(JSON.stringify(frame));
  }
}

/** Gives a connection a name, and each of its frames the next number, under the signature: none can be taken twice. */
function signedSession(signer: Signer): { session: string; sign: SignFrame } {
  const session = crypto.randomUUID();
  let seq = 0;
  return { session, sign: (text) => signedMessage(text, signer, { session, seq: ++seq }) };
}

function leaseOf({ job_id, task_id, attempt, lease, type }: TaskPayload): HeldTask {
  return { job_id, task_id, attempt, lease, type };
}

function leaseClaimed({ report: { job_id, task_id, attempt, lease } }: PendingResult): HeldTask[] {
  return attempt === undefined || lease === undefined ? [] : [{ job_id, task_id, attempt, lease }];
}

function endOf({ message }: RequestFailure): ConnectionEnd {
  return { opened: false, reason: message };
}
