import type { StoredMessage } from "./message-store.ts";

/** What became of a batch: the messages that are done with, and those to be delivered again after a pause. */
export interface Settlement {
  done: StoredMessage[];
  again: { message: StoredMessage; delayMs: number }[];
}

/** First pause of a message that is retried without a word on when; each further one is twice as long. */
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 300_000;

/** Pause before a message is delivered again that has failed `attempts` times. */
export function retryDelayMs(attempts: number): number {
  return Math.min(FIRST_RETRY_MS * 2 ** (attempts - 1), LONGEST_RETRY_MS);
}

type Verdict = { ack: true } | { ack: false; delaySeconds: number | undefined };

/**
 * Messages handed to a consumer in the shape the platform hands them over, with the platform's rules: the first word
 * on a message counts; without one it is acknowledged when the consumer returns and retried when it throws.
 */
export class LocalBatch implements MessageBatch {
  readonly queue: string;
  readonly messages: readonly Message[];
  /** The platform counts the backlog here. Counting it would cost a scan for each batch, and nobody reads it. */
  readonly metadata = { metrics: { backlogCount: 0, backlogBytes: 0 } };
  readonly #stored: readonly StoredMessage[];
  readonly #verdicts = new Map<number, Verdict>();

  constructor(queue: string, stored: readonly StoredMessage[]) {
    this.queue = queue;
    this.#stored = stored;
    this.messages = stored.map(({ id, body, attempts, sentAt }) => ({
      id: String(id),
      timestamp: new Date(sentAt),
      body,
      attempts: attempts + 1,
      ack: () => this.#judge(id, { ack: true }),
      retry: (options) => this.#judge(id, { ack: false, delaySeconds: options?.delaySeconds }),
    }));
  }

  ackAll(): void {
    for (const message of this.messages) message.ack();
  }

  retryAll(options?: QueueRetryOptions): void {
    for (const message of this.messages) message.retry(options);
  }

  /** @param returned whether the consumer returned; false when it threw. */
  settle(returned: boolean): Settlement {
    const settlement: Settlement = { done: [], again: [] };
    for (const stored of this.#stored) {
      const verdict =
        this.#verdicts.get(stored.id) ?? (returned ? { ack: true } : { ack: false, delaySeconds: undefined });
      if (verdict.ack) {
        settlement.done.push(stored);
      } else {
        const attempts = stored.attempts + 1;
        const delayMs = verdict.delaySeconds === undefined ? retryDelayMs(attempts) : verdict.delaySeconds * 1_000;
        settlement.again.push({ message: { ...stored, attempts }, delayMs });
      }
    }
    return settlement;
  }

  #judge(id: number, verdict: Verdict): void {
    if (!this.#verdicts.has(id)) this.#verdicts.set(id, verdict);
  }
}
