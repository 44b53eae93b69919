/** What happens at some time of a simulation; handled in the order of time. Times are ms. */
export class Agenda {
  readonly #times: number[] = [];
  readonly #events: (() => void)[] = [];
  now = 0;

  at(time: number, event: () => void): void {
    let index = this.#times.length;
    this.#times.push(time);
    this.#events.push(event);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if ((this.#times[parent] ?? 0) <= time) break;
      this.#swap(index, parent);
      index = parent;
    }
  }

  /** Runs all events up to `end`. */
  runUntil(end: number): void {
    for (let [time] = this.#times; time !== undefined && time <= end; [time] = this.#times) {
      const [event] = this.#events;
      this.#removeFirst();
      this.now = time;
      event?.();
    }
    this.now = end;
  }

  #removeFirst(): void {
    const [time, event] = [this.#times.pop(), this.#events.pop()];
    if (this.#times.length === 0 || time === undefined || event === undefined) return;
    this.#times[0] = time;
    this.#events[0] = event;
    let index = 0;
    for (;;) {
      const [left, right] = [2 * index + 1, 2 * index + 2];
      let least = index;
      if ((this.#times[left] ?? Infinity) < (this.#times[least] ?? 0)) least = left;
      if ((this.#times[right] ?? Infinity) < (this.#times[least] ?? 0)) least = right;
      if (least === index) return;
      this.#swap(index, least);
      index = least;
    }
  }

  #swap(a: number, b: number): void {
    const [time, event] = [this.#times[a] ?? 0, this.#events[a]];
    this.#times[a] = this.#times[b] ?? 0;
    this.#times[b] = time;
    const other = this.#events[b];
    if (event !== undefined && other !== undefined) [this.#events[a], this.#events[b]] = [other, event];
  }
}
