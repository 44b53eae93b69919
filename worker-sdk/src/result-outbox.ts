import type { TaskPayload } from "./protocol/index.ts";
import type { Outcome } from "./outcome.ts";

/** An outcome on its way, kept until the orchestrator has acknowledged it. */
export interface PendingResult {
  readonly task: TaskPayload;
  readonly outcome: Outcome;
  /** When it was last sent over a socket, epoch milliseconds; 0 before the first time, infinite while it goes by HTTP. */
  sentAt: number;
}

/** The results that are not acknowledged yet. */
export class ResultOutbox {
  readonly #pending = new Set<PendingResult>();
  readonly #emptied = new Set<() => void>();

  get pending(): PendingResult[] {
    return [...this.#pending];
  }

  add(task: TaskPayload, outcome: Outcome): PendingResult {
    const result: PendingResult = { task, outcome, sentAt: 0 };
    this.#pending.add(result);
    return result;
  }

  /** Removes what an acknowledgement speaks of; without an attempt it speaks of every attempt of the task. */
  acknowledge(taskId: string, attempt: number | undefined): void {
    for (const result of this.#pending) {
      if (result.task.task_id !== taskId) continue;
      if (attempt === undefined || result.task.attempt === attempt) this.remove(result);
    }
  }

  remove(result: PendingResult): void {
    this.#pending.delete(result);
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
