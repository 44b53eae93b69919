import type { TaskLimit } from "../protocol/index.ts";
import type { TaskCatalog } from "./task-catalog.ts";

/** Limits of how many tasks of one type may run at once; types without a limit are bounded by the worker's capacity only. */
export class TypeLimits {
  readonly #limits: ReadonlyMap<string, number>;
  readonly #catalog: TaskCatalog;

  /** @param limits by task type */
  constructor(limits: Readonly<Record<string, number>>, catalog: TaskCatalog) {
    this.#limits = new Map(Object.entries(limits));
    this.#catalog = catalog;
  }

  /** Limits of types that no task has: most likely misspelt. */
  get unused(): string[] {
    const { taskTypes } = this.#catalog;
    return [...this.#limits.keys()].filter((type) => !taskTypes.has(type));
  }

  /** Whether one more task may run beside those. Both are given by task name. */
  allows(name: string, beside: Iterable<string>): boolean {
    const type = this.#catalog.find(name)?.taskType;
    const limit = type === undefined ? undefined : this.#limits.get(type);
    return limit === undefined || this.#count(type, beside) < limit;
  }

  /**
   * The limits as the orchestrator is told them.
   * @param taken names of the tasks whose places it cannot give away and does not know of
   */
  forOrchestrator(taken: readonly string[] = []): TaskLimit[] {
    return Array.from(this.#limits, ([type, limit]) => ({
      tasks: this.#catalog.namesOf(type),
      max: Math.max(0, limit - this.#count(type, taken)),
    })).filter(({ tasks }) => tasks.length > 0);
  }

  #count(type: string | undefined, names: Iterable<string>): number {
    let count = 0;
    for (const name of names) if (this.#catalog.find(name)?.taskType === type) count++;
    return count;
  }
}
