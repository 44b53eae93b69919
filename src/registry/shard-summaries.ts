import { chooseShard, type Heard, type ShardWish, type TypeCounts } from "./choose-shard.ts";
import type { ShardPlan } from "./shard-plan.ts";

/** How long counts say who is free. A dispatch so touches two shards at most. */
const FRESH_MS = 1_000;

/** How long they say where workers are: that changes slowly, and a mistake only costs a task a detour. */
const KEPT_MS = 5_000;

/** What a shard has to do, as it tells others. */
export interface ShardSummary {
  readonly draining: boolean;
  /** By task type; one that is not named has neither workers nor waiting tasks. */
  readonly types: Readonly<Record<string, TypeCounts>>;
}

interface Kept {
  draining: boolean;
  /** When all types were told. */
  wholeAt: number;
  readonly types: Map<string, { readonly counts: TypeCounts; readonly at: number }>;
}

const NONE: TypeCounts = { workers: 0, free: 0, waiting: 0 };

/** What was heard of shards lately. Values only: whoever kept a promise here would tie requests to each other. */
export class ShardNews {
  readonly #kept = new Map<string, Kept>();

  /** A shard told all it has to do. @param now epoch ms */
  noteSummary(shard: string, { draining, types }: ShardSummary, now: number): void {
    const counts = Object.entries(types).map(([type, each]) => [type, { counts: each, at: now }] as const);
    this.#kept.set(shard, { draining, wholeAt: now, types: new Map(counts) });
  }

  /** A shard told, beside something else, what it has of one type. */
  noteCounts(shard: string, type: string, { draining, counts }: Omit<Heard, "fresh">, now: number): void {
    const kept = this.#kept.get(shard) ?? { draining, wholeAt: -Infinity, types: new Map() };
    kept.draining = draining;
    kept.types.set(type, { counts, at: now });
    this.#kept.set(shard, kept);
  }

  /** What is known of a shard and a type at `now`; null when nothing was heard lately. */
  of(shard: string, type: string, now: number): Heard | null {
    const kept = this.#kept.get(shard);
    if (kept === undefined) return null;
    const { counts, at } = kept.types.get(type) ?? { counts: NONE, at: kept.wholeAt };
    if (at + KEPT_MS <= now) return null;
    return { draining: kept.draining, counts, fresh: at + FRESH_MS > now };
  }

  /** The shard for a task that goes out at `now`; the one it was in while that is open. */
  place(plan: ShardPlan, wish: ShardWish, now: number, present?: string): string {
    const known = (shard: string, type: string) => this.of(shard, type, now);
    const open = present !== undefined && plan.names.includes(present) && known(present, wish.type)?.draining !== true;
    return open ? present : chooseShard(plan, wish, known);
  }
}

/** What this isolate heard. */
export const shardNews = new ShardNews();
