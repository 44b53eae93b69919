/** Entries kept at most; the oldest make room. */
const MAX_ENTRIES = 10_000;

/** Remembers values for a short time. Values only: no promise may be shared between requests. */
export class ShortMemory<Value> {
  readonly #keptMs: number;
  readonly #entries = new Map<string, { readonly value: Value; readonly until: number }>();

  constructor(keptMs: number) {
    this.#keptMs = keptMs;
  }

  /** @param now epoch ms */
  get(key: string, now: number): Value | undefined {
    const entry = this.#entries.get(key);
    return entry === undefined || entry.until <= now ? undefined : entry.value;
  }

  set(key: string, value: Value, now: number): void {
    this.#entries.delete(key);
    this.#entries.set(key, { value, until: now + this.#keptMs });
    if (this.#entries.size <= MAX_ENTRIES) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}
