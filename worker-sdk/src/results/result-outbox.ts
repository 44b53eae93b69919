import type { TaskResult } from "../protocol/index.ts";
import type { KeptResult, ResultSpool } from "./result-spool.ts";

/** A result on its way, kept until the orchestrator has acknowledged it. */
export interface PendingResult extends KeptResult {
  /** When it was last sent over a socket, epoch milliseconds; 0 before the first time, infinite while it goes by HTTP. */
  sentAt: number;
}

/** The results for one orchestrator that are not acknowledged yet; the spool has them too. */
export class ResultOutbox {
  readonly #orchestrator: string;
  readonly #spool: ResultSpool;
  readonly #pending = new Map<PendingResult, KeptResult>();
  readonly #emptied = new Set<() => void>();

  /** @param orchestrator its address */
  constructor(orchestrator: string, spool: ResultSpool) {
    this.#orchestrator = orchestrator;
    this.#spool = spool;
  }

  get pending(): PendingResult[] {
    return [...this.#pending.keys()];
  }

  add(report: TaskResult): PendingResult {
    const kept = { orchestrator: this.#orchestrator, report };
    this.#spool.keep(kept);
    return this.restore(kept);
  }

  /** Takes up a result that the spool has from an earlier run. */
  restore(kept: KeptResult): PendingResult {
    const result: PendingResult = { ...kept, sentAt: 0 };
    this.#pending.set(result, kept);
    return result;
  }

  /** Removes what an acknowledgement speaks of; without an attempt it speaks of every attempt of the task. */
  acknowledge(taskId: string, attempt: number | undefined): void {
    for (const result of this.pending) {
      if (result.report.task_id !== taskId) continue;
      if (attempt === undefined || result.report.attempt === attempt) this.remove(result);
    }
  }

  remove(result: PendingResult): void {
    const kept = this.#pending.get(result);
    if (kept === undefined) return;
    this.#pending.delete(result);
    this.#spool.release(kept);
    if (this.#pending.size > 0) return;
    for (const resolve of this.#emptied) resolve();
    this.#emptied.clear();
  }

  /** Resolves when nothing is pending. */
  empty(): Promise<void> {
    if (this.#pending.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#emptied.add(resolve));
  }
}
