/** What this worker has loaded: names of models, say, and the tasks that have all they need. */
export class HotCache {
  readonly #entries = new Set<string>();
  readonly #dependencies: Readonly<Record<string, readonly string[]>>;
  readonly #listeners = new Set<() => void>();

  /** @param dependencies by task, the names it needs loaded */
  constructor(dependencies: Readonly<Record<string, readonly string[]>> = {}) {
    this.#dependencies = dependencies;
  }

  get entries(): string[] {
    return [...this.#entries];
  }

  /** The tasks with dependencies, all of which are loaded; undefined when no task has any. */
  get skills(): string[] | undefined {
    if (Object.keys(this.#dependencies).length === 0) return undefined;
    return Object.entries(this.#dependencies).flatMap(([task, names]) =>
      names.length > 0 && names.every((name) => this.#entries.has(name)) ? [task] : [],
    );
  }

  add(name: string): void {
    if (this.#entries.has(name)) return;
    this.#entries.add(name);
    this.#changed();
  }

  remove(name: string): void {
    if (this.#entries.delete(name)) this.#changed();
  }

  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
