import { setTimeout as pause } from "node:timers/promises";
import { ExampleError } from "../shared/example-error.ts";
import { hasEnded, type HistoryRow, type JobClient, type JobView, OutageError } from "../shared/job-client.ts";

const POLL_INTERVAL_MS = 150;
/** Longest time without anything new in a job's history. The examples wait for seconds, never for long. */
const PATIENCE_MS = 30_000;

const LAST_EVENTS = new Set(["job_finished", "job_failed", "job_quarantined", "job_cancelled"]);

/** A job that is over, while somebody still meant to do something with it. */
export class JobOverError extends Error {
  override readonly name = "JobOverError";
}

/** A job of an example: its history as it grows, and what people and other programs do to it. */
export class FollowedJob {
  readonly id: string;
  readonly #client: JobClient;
  readonly #signal: AbortSignal;

  constructor(id: string, client: JobClient, signal: AbortSignal) {
    this.id = id;
    this.#client = client;
    this.#signal = signal;
  }

  /**
   * The job's history, row by row as it comes, to its end.
   * @throws {ExampleError} when nothing has come for a long time
   */
  async *history(): AsyncGenerator<HistoryRow, void, undefined> {
    let seq = 0;
    let quietSince = performance.now();
    while (performance.now() - quietSince < PATIENCE_MS) {
      for (const row of await this.#readHistory()) {
        // Parts of a history may arrive in any order; it is told in the right one.
        if (row.seq !== seq + 1) continue;
        seq = row.seq;
        quietSince = performance.now();
        yield row;
        if (LAST_EVENTS.has(row.event_type)) return;
      }
      await pause(POLL_INTERVAL_MS, undefined, { signal: this.#signal });
    }
    throw new ExampleError(`The job ${this.id} has not gone on for ${PATIENCE_MS / 1000} s.`);
  }

  /**
   * Waits until the job is as it should be. Looks at the job itself, which history follows only after a while.
   * @throws {JobOverError} when the job ends without
   */
  async until(isSo: (job: JobView) => boolean): Promise<void> {
    for (;;) {
      const job = await this.view();
      if (isSo(job)) return;
      if (hasEnded(job)) throw new JobOverError(`The job ${this.id} has ended meanwhile.`);
      await pause(POLL_INTERVAL_MS, undefined, { signal: this.#signal });
    }
  }

  /** Decides what the job asks people, as one of them. */
  decide(by: string, decision: string): Promise<void> {
    return this.#client.decide(this.id, by, decision);
  }

  sendEvent(event: string, data: unknown): Promise<void> {
    return this.#client.sendEvent(this.id, event, data);
  }

  cancel(): Promise<void> {
    return this.#client.cancel(this.id);
  }

  /** The job as it is now. */
  async view(): Promise<JobView> {
    const job = await this.#client.find(this.id);
    if (job === null) throw new ExampleError(`The server does not know the job ${this.id} any more.`);
    return job;
  }

  async #readHistory(): Promise<readonly HistoryRow[]> {
    try {
      return await this.#client.history(this.id);
    } catch (error) {
      // A server that is deployed anew is away for a moment.
      if (error instanceof OutageError) return [];
      throw error;
    }
  }
}
