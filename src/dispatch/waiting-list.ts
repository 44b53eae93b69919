/** A waiting task without its params, which stay in the row until the task is handed over. */
export interface Waiting {
  readonly taskId: string;
  readonly type: string;
  readonly priority: number;
  /** Order of arrival; the row's key. */
  readonly seq: number;
}

/** Larger priority first, then the older. */
function before(a: Waiting, b: Waiting): boolean {
  return a.priority === b.priority ? a.seq < b.seq : a.priority > b.priority;
}

/** The tasks that wait for a worker, in the order they are to be handed over, by task type. */
export class WaitingList {
  readonly #byType = new Map<string, Waiting[]>();
  readonly #byTask = new Map<string, Waiting>();

  get size(): number {
    return this.#byTask.size;
  }

  has(taskId: string): boolean {
    return this.#byTask.has(taskId);
  }

  add(entry: Waiting): void {
    const list = this.#byType.get(entry.type) ?? [];
    this.#byType.set(entry.type, list);
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const there = list[middle];
      if (there !== undefined && before(there, entry)) low = middle + 1;
      else high = middle;
    }
    list.splice(low, 0, entry);
    this.#byTask.set(entry.taskId, entry);
  }

  remove(taskId: string): Waiting | null {
    const entry = this.#byTask.get(taskId);
    if (entry === undefined) return null;
    this.#byTask.delete(taskId);
    const list = this.#byType.get(entry.type);
    const at = list?.indexOf(entry) ?? -1;
    if (at >= 0) list?.splice(at, 1);
    if (list?.length === 0) this.#byType.delete(entry.type);
    return entry;
  }

  /** The waiting tasks of these types, first to be handed over first. The list must not change meanwhile. */
  *inOrder(types: Iterable<string>): Generator<Waiting> {
    const lists = [...types].flatMap((type) => {
      const list = this.#byType.get(type);
      return list === undefined ? [] : [{ list, at: 0 }];
    });
    for (;;) {
      let first: { list: Waiting[]; at: number } | null = null;
      let next: Waiting | undefined;
      for (const cursor of lists) {
        const entry = cursor.list[cursor.at];
        if (entry !== undefined && (next === undefined || before(entry, next))) {
          first = cursor;
          next = entry;
        }
      }
      if (first === null || next === undefined) return;
      first.at += 1;
      yield next;
    }
  }
}
