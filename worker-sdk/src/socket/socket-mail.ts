import type { ServerFrame, TaskPayload, WorkerFrame } from "../protocol/index.ts";
import { EventOutbox } from "./event-outbox.ts";
import type { LinkParts } from "../orchestrators/link-parts.ts";
import { resultOf, type Outcome } from "../tasks/outcome.ts";
import type { NamedEvent } from "../tasks/pooled-task.ts";
import { eventAnswer, postEvent } from "../http/posting.ts";
import { ResultOutbox, type PendingResult } from "../results/result-outbox.ts";
import { logAcknowledgement, ResultPosting, undeliverable } from "../results/result-posting.ts";
import type { KeptResult } from "../results/result-spool.ts";
import type { EventAnswer } from "../tasks/task-context.ts";

/** Larger results go by HTTP: the orchestrator takes frames up to this size only. */
const MAX_FRAME_BYTES = 256 * 1024;

interface Line {
  /** Whether there is a connection that has been welcomed. */
  isOpen(): boolean;
  send(text: string): void;
}

export function fitsFrame(text: string): boolean {
  return new TextEncoder().encode(text).byteLength <= MAX_FRAME_BYTES;
}

/** What an orchestrator has to acknowledge, results and events: kept and sent again until it has. */
export class SocketMail {
  readonly #parts: LinkParts;
  readonly #line: Line;
  readonly #closed: AbortSignal;
  readonly #posting: ResultPosting;
  readonly #results: ResultOutbox;
  readonly #events = new EventOutbox();

  /** @param closed aborted when nothing more is to be sent */
  constructor(parts: LinkParts, line: Line, closed: AbortSignal) {
    this.#parts = parts;
    this.#line = line;
    this.#closed = closed;
    this.#posting = new ResultPosting(parts);
    this.#results = new ResultOutbox(parts.orchestrator.url, parts.spool);
  }

  get pendingResults(): PendingResult[] {
    return this.#results.pending;
  }

  /** Resolves when no result is pending. */
  delivered(): Promise<void> {
    return this.#results.empty();
  }

  restore(kept: KeptResult): void {
    this.#results.restore(kept);
  }

  deliver(task: TaskPayload, outcome: Outcome): void {
    this.#sendResult(this.#results.add(resultOf(task, outcome, this.#parts.configuration.workerId)));
  }

  sendEvent(event: NamedEvent, signal: AbortSignal): Promise<EventAnswer> {
    const wanted = AbortSignal.any([signal, this.#closed]);
    if (!fitsFrame(eventFrame(event))) return postEvent(this.#parts, event, wanted);
    const answer = this.#events.add(event, wanted);
    this.#sendEvents(0);
    return answer;
  }

  /** Sends what is pending and was not sent since `before`, epoch milliseconds. */
  sendPending(before: number): void {
    for (const result of this.#results.pending) if (result.sentAt <= before) this.#sendResult(result);
    this.#sendEvents(before);
  }

  acknowledged(ack: Extract<ServerFrame, { type: "result_ack" | "event_ack" }>): void {
    if (ack.type === "event_ack") return this.#events.answered(ack.event_id, eventAnswer(ack));
    logAcknowledgement(this.#parts.logger, ack.task_id, ack);
    this.#results.acknowledge(ack.task_id, ack.attempt);
  }

  #sendEvents(before: number): void {
    if (!this.#line.isOpen()) return;
    for (const event of this.#events.due(before, Date.now())) this.#line.send(eventFrame(event));
  }

  #sendResult(result: PendingResult): void {
    if (!this.#line.isOpen()) return;
    const text = JSON.stringify({ type: "result", ...result.report } satisfies WorkerFrame);
    if (fitsFrame(text)) {
      result.sentAt = Date.now();
      this.#line.send(text);
    } else {
      result.sentAt = Infinity;
      void this.#postResult(result);
    }
  }

  /** What HTTP does not bring home either is replaced by a failure small enough for a frame. */
  async #postResult(result: PendingResult): Promise<void> {
    const refusal = await this.#posting.post(result.report, this.#closed);
    if (this.#closed.aborted) return;
    if (refusal !== undefined) this.#sendResult(this.#results.add(undeliverable(result.report, refusal)));
    this.#results.remove(result);
  }
}

function eventFrame(event: NamedEvent): string {
  return JSON.stringify({ type: "event", ...event } satisfies WorkerFrame);
}
