import { MAX_EXPLAINED_REASONS } from "../limits.ts";

/** How many workers something rules out; null when nothing does. */
export interface ReasonCount {
  readonly ruledOut: string | null;
  readonly workers: number;
}

const NUMBERS = /\d+(?:\.\d+)*/g;

/**
 * Counts workers by what rules them out. Reasons that differ in their numbers only ("vram 16 < 24", "vram 8 < 24") are one,
 * told in the words of the first: each worker's own number would make each a reason of its own.
 */
export class ReasonCounts {
  readonly #counts = new Map<string | null, { readonly ruledOut: string | null; workers: number }>();

  add(ruledOut: string | null, workers = 1): void {
    const key = ruledOut?.replace(NUMBERS, "0") ?? null;
    const known = this.#counts.get(key);
    if (known === undefined) this.#counts.set(key, { ruledOut, workers });
    else known.workers += workers;
  }

  /** The most frequent reasons, as many as an explanation tells. */
  mostFrequent(): ReasonCount[] {
    return [...this.#counts.values()].toSorted((a, b) => b.workers - a.workers).slice(0, MAX_EXPLAINED_REASONS);
  }
}
