import type { Availability } from "../availability.ts";
import type { LongPollTransport } from "./long-poll.ts";
import type { OrchestratorMode } from "../settings/orchestrators.ts";
import { sleep } from "../sleep.ts";
import { Turns } from "../orchestrators/turns.ts";

/** How long a poll may wait while another orchestrator may have a task too. */
const TURN_WAIT_MS = 5_000;

/** How long a poll waits that is to find out whether there is a task now. */
const GLANCE_MS = 250;

/** Rounds that find nothing are at least this far apart: some servers answer "no task" without waiting. */
const MIN_EMPTY_ROUND_MS = 1_000;

interface Polled {
  readonly weight: number;
  readonly transport: LongPollTransport;
}

interface RoundOptions {
  readonly mode: OrchestratorMode;
  /** How long a poll waits for a task when nobody else is asked, milliseconds. */
  readonly pollTimeoutMs: number;
  readonly availability: Availability;
}

/**
 * Asks the orchestrators for tasks, one at a time, so that no task comes that there is no room for. Each round asks those
 * that the mode names; one that failed is left out until its pause is over.
 */
export class PollRounds {
  readonly #members: readonly Polled[];
  readonly #options: RoundOptions;
  readonly #turns = new Turns<Polled>();
  #wake = (): void => {};

  /** @param members by priority */
  constructor(members: readonly Polled[], options: RoundOptions) {
    this.#members = members;
    this.#options = options;
    for (const { transport } of members) transport.onReady(() => this.#wake());
  }

  /** Works until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { availability } = this.#options;
    signal.addEventListener("abort", () => this.#wake());
    while (!signal.aborted) {
      await availability.ready(signal);
      await this.#anyReady(signal);
      if (!signal.aborted) await this.#round(AbortSignal.any([signal, availability.drainSignal]));
    }
  }

  async #round(signal: AbortSignal): Promise<void> {
    const { mode, pollTimeoutMs } = this.#options;
    const beganAt = Date.now();
    const ready = this.#ready();
    const chosen = mode === "ROUND_ROBIN" ? this.#turns.next(ready) : ready[0];
    if (chosen === undefined) return;
    const others = mode === "FAILOVER" ? [] : ready.filter((member) => member !== chosen);
    // One that has nothing must not keep the worker from one that has: first all are asked in passing.
    if (others.length > 0 && (await this.#ask([chosen, ...others], GLANCE_MS, signal))) return;
    const held = mode === "WATERFALL" ? [chosen, ...others] : [chosen];
    const alone = this.#members.length === 1 || (mode === "FAILOVER" && chosen === this.#members[0]);
    if (await this.#ask(held, alone ? pollTimeoutMs : Math.min(pollTimeoutMs, TURN_WAIT_MS), signal)) return;
    if (chosen.transport.isReady) await sleep(beganAt + MIN_EMPTY_ROUND_MS - Date.now(), signal);
  }

  /** Asks one after the other, until one has a task. */
  async #ask(members: readonly Polled[], waitMs: number, signal: AbortSignal): Promise<boolean> {
    for (const { transport } of members) {
      if (signal.aborted) return false;
      if (transport.isReady && (await transport.poll(waitMs, signal))) return true;
    }
    return false;
  }

  #ready(): Polled[] {
    return this.#members.filter(({ transport }) => transport.isReady);
  }

  #anyReady(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        if (signal.aborted || this.#ready().length > 0) resolve();
      };
      this.#wake();
    });
  }
}
