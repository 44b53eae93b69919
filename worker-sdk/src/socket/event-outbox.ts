import type { NamedEvent } from "../tasks/pooled-task.ts";
import type { EventAnswer } from "../tasks/task-context.ts";

interface PendingEvent {
  readonly event: NamedEvent;
  /** When it was last sent, epoch milliseconds; 0 before the first time. */
  sentAt: number;
  readonly settle: (answer: EventAnswer) => void;
}

/** The events that are not answered yet. */
export class EventOutbox {
  readonly #pending = new Map<string, PendingEvent>();

  /** Keeps an event until it is answered, or given up because `signal` is aborted. */
  add(event: NamedEvent, signal: AbortSignal): Promise<EventAnswer> {
    const { promise, resolve } = Promise.withResolvers<EventAnswer>();
    const giveUp = (): void =>
      settle({ accepted: false, reason: "The task ended, or was aborted, before the orchestrator answered." });
    const settle = (answer: EventAnswer): void => {
      signal.removeEventListener("abort", giveUp);
      if (this.#pending.get(event.event_id)?.settle === settle) this.#pending.delete(event.event_id);
      resolve(answer);
    };
    // One that is sent again under the same name is the same event.
    const before = this.#pending.get(event.event_id);
    this.#pending.set(event.event_id, { event, sentAt: 0, settle });
    if (before !== undefined) void promise.then(before.settle);
    signal.addEventListener("abort", giveUp);
    if (signal.aborted) giveUp();
    return promise;
  }

  /** The events that were not sent since `before`, epoch milliseconds; they count as sent now. */
  due(before: number, now: number): NamedEvent[] {
    return [...this.#pending.values()].flatMap((pending) => {
      if (pending.sentAt > before) return [];
      pending.sentAt = now;
      return [pending.event];
    });
  }

  answered(eventId: string, answer: EventAnswer): void {
    this.#pending.get(eventId)?.settle(answer);
  }
}
