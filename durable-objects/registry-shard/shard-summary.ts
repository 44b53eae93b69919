import type { Offer } from "../../src/dispatch/offer.ts";
import type { TypeCounts } from "../../src/registry/choose-shard.ts";
import type { ShardSummary } from "../../src/registry/shard-summaries.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Leases } from "./leases.ts";
import { candidateOf, type Member, type Roster } from "./roster.ts";
import type { Standings } from "./standings.ts";

/** How long one look at the workers of a large shard serves all who ask. */
const KEPT_MS = 250;

/** Workers that are looked at anew each time. */
const FEW_WORKERS = 64;

interface SummaryNeeds {
  readonly roster: Roster;
  readonly dispatcher: Dispatcher;
  readonly leases: Leases;
  readonly standings: Standings;
}

interface Workers {
  readonly workers: number;
  readonly free: number;
}

const NONE: Workers = { workers: 0, free: 0 };

/** The types a member counts for, also while it says that it takes no more of them because it is full. */
function typesOf(member: Member): Set<string> {
  return new Set([...member.registeredTasks, ...member.socketTasks, ...member.everTook]);
}

/** Says in a few numbers what a shard has to do, for those who choose between shards. */
export class SummaryOfShard {
  readonly #needs: SummaryNeeds;
  #byType: ReadonlyMap<string, Workers> = new Map();
  #lookedAt = -Infinity;

  constructor(needs: SummaryNeeds) {
    this.#needs = needs;
  }

  /** All that the shard has to do. @param now epoch ms */
  whole(now: number): ShardSummary {
    const { dispatcher } = this.#needs;
    const names = new Set([...this.#workers(now).keys(), ...dispatcher.waitingTypes()]);
    const types = [...names].map((type) => [type, this.#of(type, now)] as const);
    return { draining: this.#isDraining, types: Object.fromEntries(types) };
  }

  /** What it has of the type of a task that waits here. */
  about({ type }: Pick<Offer, "type">, now: number): { readonly draining: boolean; readonly counts: TypeCounts } {
    return { draining: this.#isDraining, counts: this.#of(type, now) };
  }

  get #isDraining(): boolean {
    return this.#needs.standings.shardDrain !== null;
  }

  #of(type: string, now: number): TypeCounts {
    return { ...(this.#workers(now).get(type) ?? NONE), waiting: this.#needs.dispatcher.waitingOf(type) };
  }

  #workers(now: number): ReadonlyMap<string, Workers> {
    const { roster, leases } = this.#needs;
    if (roster.size > FEW_WORKERS && now - this.#lookedAt < KEPT_MS) return this.#byType;
    const byType = new Map<string, { workers: number; free: number }>();
    for (const member of roster.all()) {
      const candidate = candidateOf(member);
      if (candidate === null || member.barred !== null || !leases.isAlive(member, now)) continue;
      const takesNow = roster.typesOf(member);
      for (const type of typesOf(member)) {
        const sum = byType.get(type) ?? { workers: 0, free: 0 };
        byType.set(type, sum);
        sum.workers += 1;
        if (takesNow.has(type)) sum.free += candidate.free;
      }
    }
    [this.#byType, this.#lookedAt] = [byType, now];
    return byType;
  }
}
