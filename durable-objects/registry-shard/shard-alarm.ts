/** The object's one alarm, for all that a shard has to do at some time. Each setAlarm is billed as a row. */
export class ShardAlarm {
  readonly #storage: DurableObjectStorage;
  /** No alarm that is set goes off later than this. */
  #at = Infinity;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /** After an eviction: an alarm is known to be set for then, epoch ms. */
  isSetFor(at: number): void {
    this.#at = Math.min(this.#at, at);
  }

  /** Sets the alarm unless an earlier one is set. */
  wakeAt(at: number): void {
    if (this.#at <= at) return;
    this.#at = at;
    void this.#storage.setAlarm(at);
  }

  /** It has gone off: whoever still has something to do says so anew. */
  consumed(): void {
    this.#at = Infinity;
  }
}
