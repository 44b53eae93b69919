import { sleep } from "../sleep.ts";

export interface Progress {
  /** 0 to 1. */
  progress: number;
  message?: string;
}

/** Shortest time between two reports of one task. */
const REPORT_INTERVAL_MS = 200;

/** Sends the progress of one task: the first report at once, later ones at most every 200 ms, always the latest value. */
export class ProgressReporter {
  readonly #send: (progress: Progress) => Promise<void>;
  readonly #finished = new AbortController();
  #latest: Progress | undefined;
  #sending: Promise<void> | undefined;

  /** @param send hands a report on; must not reject */
  constructor(send: (progress: Progress) => Promise<void>) {
    this.#send = send;
  }

  report(progress: number, message?: string): void {
    if (this.#finished.signal.aborted) return;
    // Written so that NaN becomes 0.
    const share = progress > 0 ? Math.min(progress, 1) : 0;
    this.#latest = { progress: share, ...(message !== undefined && { message }) };
    this.#sending ??= this.#sendReports();
  }

  /** Sends the latest value if it is still to be sent, so that it arrives before the result; later reports are dropped. */
  async finish(): Promise<void> {
    this.#finished.abort();
    await this.#sending;
    await this.#sendLatest();
  }

  /** Drops what is still to be sent: nobody wants to know any more. */
  discard(): void {
    this.#finished.abort();
    this.#latest = undefined;
  }

  async #sendReports(): Promise<void> {
    while (this.#latest !== undefined && !this.#finished.signal.aborted) {
      await this.#sendLatest();
      await sleep(REPORT_INTERVAL_MS, this.#finished.signal);
    }
    this.#sending = undefined;
  }

  async #sendLatest(): Promise<void> {
    const latest = this.#latest;
    this.#latest = undefined;
    if (latest !== undefined) await this.#send(latest);
  }
}
