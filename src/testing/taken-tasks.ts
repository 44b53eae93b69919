import type { Task } from "../job/record.ts";
import { runTimeMs } from "../job/work.ts";

/** Which tasks of a job workers have at this moment, and since when: what a server asks its registry. */
export class TakenTasks {
  readonly #since = new Map<string, number>();
  /** Longest run of an attempt whose task names none. */
  readonly #timeoutMs: number;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  get ids(): string[] {
    return [...this.#since.keys()];
  }

  has({ id }: Task): boolean {
    return this.#since.has(id);
  }

  take(taskId: string, now: number): void {
    this.#since.set(taskId, now);
  }

  /** These attempts are on offer again, or not wanted any more. */
  forget(tasks: readonly Pick<Task, "id">[]): void {
    for (const { id } of tasks) this.#since.delete(id);
  }

  /** A task that a worker has need not be taken by anybody any more. */
  withoutDispatchLimit<T extends Task>(task: T): T {
    return this.has(task) ? { ...task, dispatchBy: null } : task;
  }

  /** When the attempts among these that workers have are over their time to run. */
  limits<T extends Task>(
    tasks: readonly T[],
  ): { readonly task: T; readonly endsAt: number; readonly seconds: number }[] {
    return tasks.flatMap((task) => {
      const since = this.#since.get(task.id);
      const runMs = runTimeMs(task.request, this.#timeoutMs);
      return since === undefined ? [] : [{ task, endsAt: since + runMs, seconds: runMs / 1000 }];
    });
  }
}
