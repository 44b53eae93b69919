import {
  afterReview,
  afterVerdict,
  NO_RESULTS,
  type ReputationSettings,
  type SuccessRate,
  type Verdict,
} from "../../src/dispatch/reputation.ts";
import { GOOD, type Drain, type Standing } from "./standing.ts";
import type { StandingStore } from "./standing-store.ts";

/** Rewards are small and many: they are written once they make up this much, or with something that weighs more. */
const WORTH_A_ROW = 0.02;

/** How far back history counts: a reset that is older changes nothing any more. */
const HISTORY_MS = 30 * 86_400_000;

/**
 * The standings of a shard's workers, also of those that are away. A worker of good standing costs no row, and its
 * successes write none.
 */
export class Standings {
  readonly #store: StandingStore;
  readonly #settings: ReputationSettings;
  /** Those that are not simply good. */
  readonly #standings: Map<string, Standing>;
  /** Reputations as their rows say them. */
  readonly #stored = new Map<string, number>();
  #shardDrain: Drain | null;

  constructor(store: StandingStore, settings: ReputationSettings) {
    this.#store = store;
    this.#settings = settings;
    this.#standings = store.standings();
    for (const [workerId, { reputation }] of this.#standings) this.#stored.set(workerId, reputation);
    this.#shardDrain = store.shardDrain();
  }

  get shardDrain(): Drain | null {
    return this.#shardDrain;
  }

  /** Whether there is any that is not simply good. */
  get any(): boolean {
    return this.#standings.size > 0;
  }

  of(workerId: string): Standing {
    return this.#standings.get(workerId) ?? GOOD;
  }

  knows(workerId: string): boolean {
    return this.#standings.has(workerId);
  }

  drainShard(value: Drain | null): void {
    this.#shardDrain = value;
    this.#store.putShardDrain(value);
  }

  drain(workerId: string, value: Drain | null): void {
    this.#write(workerId, { ...this.of(workerId), drain: value });
  }

  /** Results before `now` do not count any more. */
  reset(workerId: string, why: string, now: number): void {
    this.#write(workerId, { ...this.of(workerId), reputation: 1, changedAt: now, why, countsFrom: now });
  }

  /**
   * A result counts for or against its worker.
   * @param what names the result, for people
   * @returns whether the reputation is another now
   */
  judge(workerId: string, verdict: Verdict, what: string, now: number): boolean {
    const before = this.of(workerId);
    const reputation = afterVerdict(before.reputation, verdict, this.#settings);
    if (reputation === before.reputation) return false;
    if (verdict !== "success") {
      this.#write(workerId, { ...before, reputation, changedAt: now, why: what });
      return true;
    }
    const after = { ...before, reputation };
    const unwritten = reputation - (this.#stored.get(workerId) ?? 1);
    if (reputation === 1 || unwritten >= WORTH_A_ROW) this.#write(workerId, after);
    else this.#standings.set(workerId, after);
    return true;
  }

  /**
   * The hourly review: brings each reputation nearer to what history says.
   * @param rates of workers of this shard
   * @param complete whether they are of the whole history: a worker that is missing has no results then
   * @param isHere of a worker; what was said long ago of one that is not is forgotten, for many never come back
   * @returns the workers whose reputation is another now
   */
  review(
    rates: ReadonlyMap<string, SuccessRate>,
    complete: boolean,
    isHere: (workerId: string) => boolean,
    now: number,
  ): string[] {
    const changed: string[] = [];
    for (const workerId of new Set([...this.#standings.keys(), ...rates.keys()])) {
      const before = this.of(workerId);
      if (lastSaidAt(before) < now - HISTORY_MS && !isHere(workerId)) {
        this.forget(workerId);
        continue;
      }
      const rate = rates.get(workerId) ?? (complete ? NO_RESULTS : null);
      const { minThreshold } = this.#settings;
      const reputation = rate === null ? before.reputation : afterReview(before.reputation, rate, minThreshold);
      const isOver = before.countsFrom > 0 && before.countsFrom < now - HISTORY_MS;
      if (reputation === before.reputation && reputation === (this.#stored.get(workerId) ?? 1) && !isOver) continue;
      const why = `${Math.round((rate?.rate ?? 1) * 1000) / 10} % of its tasks in 30 days succeeded`;
      const moved = reputation === before.reputation ? {} : { reputation, changedAt: now, why };
      this.#write(workerId, { ...before, ...moved, countsFrom: isOver ? 0 : before.countsFrom });
      if (reputation !== before.reputation) changed.push(workerId);
    }
    return changed;
  }

  /** Since when the results of workers count whose reputation was reset; epoch ms. */
  resets(): { readonly workerId: string; readonly at: number }[] {
    return [...this.#standings].flatMap(([workerId, { countsFrom }]) =>
      countsFrom === 0 ? [] : [{ workerId, at: countsFrom }],
    );
  }

  /** Takes over what another shard knows of a worker that comes from there. */
  adopt(workerId: string, value: Standing): void {
    this.#write(workerId, value);
  }

  /** The worker is another shard's now, or gone. */
  forget(workerId: string): void {
    if (this.#standings.delete(workerId)) this.#store.delete(workerId);
    this.#stored.delete(workerId);
  }

  /** A standing that is simply good again needs no row. */
  #write(workerId: string, value: Standing): void {
    const { reputation, countsFrom, drain } = value;
    if (reputation === 1 && countsFrom === 0 && drain === null) {
      if (this.#standings.delete(workerId)) this.#store.delete(workerId);
      this.#stored.delete(workerId);
      return;
    }
    this.#standings.set(workerId, value);
    this.#stored.set(workerId, reputation);
    this.#store.put(workerId, value);
  }
}

function lastSaidAt({ changedAt, countsFrom, drain }: Standing): number {
  return Math.max(changedAt ?? 0, countsFrom, drain?.since ?? 0, drain?.deadline ?? 0);
}
