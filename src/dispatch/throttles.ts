import type { Demand } from "./demand.ts";
import { partOf, type DispatchPolicy, type ShardShare, type Throttle } from "./policy.ts";

/** What keeps a task from being handed over though a worker may be free. */
export interface Block {
  readonly scope: "task_type" | "client";
  readonly name: string;
  readonly kind: "concurrency" | "rate";
  /** The deployment's limit, and this shard's part of it. */
  readonly limit: number;
  readonly part: number;
  /** Epoch ms from when the rate lets one more pass; null when it waits for a task to end, or lets nothing pass at all. */
  readonly until: number | null;
}

interface Gate {
  readonly scope: Block["scope"];
  readonly name: string;
  readonly throttle: Throttle;
  readonly part: { readonly concurrent: number | null; readonly rate: number | null };
  /**
   * Epoch ms at which all that has passed would have passed at an even pace: the generic cell rate algorithm's
   * theoretical arrival time. A burst of the whole limit may pass at once.
   */
  paceAt: number;
}

/** Tasks in the hands of workers now, by task type or by client. */
export type HeldCount = (scope: Block["scope"], name: string) => number;

/** Where the paces of rates are kept, so that they outlive the object's memory. Only rates that are limited cost a row. */
export interface PaceStore {
  paces(): ReadonlyMap<string, number>;
  keepPace(key: string, at: number): void;
}

/** The limits of task types and clients in one shard. Only names that the policy limits cost anything. */
export class Throttles {
  readonly #gates = new Map<string, Gate>();
  readonly #held: HeldCount;
  readonly #store: PaceStore;

  constructor(policy: DispatchPolicy, share: ShardShare, held: HeldCount, store: PaceStore) {
    this.#held = held;
    this.#store = store;
    const paces = store.paces();
    const add = (scope: Block["scope"], limits: ReadonlyMap<string, Throttle>) => {
      for (const [name, throttle] of limits) {
        const { maxConcurrent, rate } = throttle;
        if (maxConcurrent === null && rate === null) continue;
        const part = (limit: number | null) => (limit === null ? null : partOf(limit, name, share));
        this.#gates.set(keyOf(scope, name), {
          scope,
          name,
          throttle,
          part: { concurrent: part(maxConcurrent), rate: part(rate?.limit ?? null) },
          paceAt: paces.get(keyOf(scope, name)) ?? 0,
        });
      }
    };
    add("task_type", policy.taskTypes);
    add("client", policy.clients);
  }

  /** False where nothing is limited. */
  get any(): boolean {
    return this.#gates.size > 0;
  }

  /** True when a limit counts tasks of this type or client: others may wait for one of them to end. */
  limits(task: Pick<Demand, "type" | "client">): boolean {
    return this.#of(task).length > 0;
  }

  /**
   * What blocks a task now; null when nothing does. Of several, the one that opens last: a full limit of concurrency or a
   * rate of nothing, whose opening nobody can foretell, or the rate with the longest wait.
   */
  block(task: Pick<Demand, "type" | "client">, now: number): Block | null {
    let last: Block | null = null;
    for (const { scope, name, throttle, part, paceAt } of this.#of(task)) {
      if (part.concurrent !== null && this.#held(scope, name) >= part.concurrent) {
        const limit = throttle.maxConcurrent ?? part.concurrent;
        return { scope, name, kind: "concurrency", limit, part: part.concurrent, until: null };
      }
      if (throttle.rate === null || part.rate === null) continue;
      const rate = { scope, name, kind: "rate", limit: throttle.rate.limit, part: part.rate } as const;
      if (part.rate === 0) return { ...rate, until: null };
      const until = nextAt(paceAt, throttle.rate.periodMs, part.rate);
      if (until <= Math.max(now, last?.until ?? 0)) continue;
      last = { ...rate, until };
    }
    return last;
  }

  /** A task was handed over. */
  passed(task: Pick<Demand, "type" | "client">, now: number): void {
    for (const gate of this.#of(task)) {
      const { rate } = gate.throttle;
      if (rate === null || !gate.part.rate) continue;
      gate.paceAt = Math.max(gate.paceAt, now) + rate.periodMs / gate.part.rate;
      this.#store.keepPace(keyOf(gate.scope, gate.name), Math.ceil(gate.paceAt));
    }
  }

  #of({ type, client }: Pick<Demand, "type" | "client">): Gate[] {
    if (this.#gates.size === 0) return [];
    return [this.#gates.get(keyOf("task_type", type)), this.#gates.get(keyOf("client", client))].filter(
      (gate) => gate !== undefined,
    );
  }
}

function keyOf(scope: Block["scope"], name: string): string {
  return `${scope}:${name}`;
}

/** From when one more may pass: a burst of the whole limit may, and then one a pace. Less than a microsecond is no wait. */
function nextAt(paceAt: number, periodMs: number, limit: number): number {
  return Math.ceil(paceAt + periodMs / limit - periodMs - 0.001);
}
