/**
 * The object's one alarm, kept no later than the job's next deadline. An alarm that comes too early is left as it
 * is: its handler looks at the deadlines anyway, and every setAlarm is billed as a written row.
 */
export class JobAlarm {
  readonly #storage: DurableObjectStorage;
  #at: number | null = null;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /**
   * Learns after an eviction which alarm is set; sets one when there is a deadline but no alarm, since a consumed
   * alarm must not strand the job.
   * @returns the alarm's time, epoch ms
   */
  async repair(deadline: number | null): Promise<number | null> {
    this.#at = await this.#storage.getAlarm();
    if (this.#at === null) this.aim(deadline);
    return this.#at;
  }

  /** The alarm has gone off. */
  consumed(): void {
    this.#at = null;
  }

  aim(deadline: number | null): void {
    if (deadline === null || this.#at === null || this.#at > deadline) this.settle(deadline);
  }

  /** Sets the alarm to exactly this time, or none. */
  settle(at: number | null): void {
    if (at === this.#at) return;
    this.#at = at;
    if (at === null) void this.#storage.deleteAlarm();
    else void this.#storage.setAlarm(at);
  }
}
