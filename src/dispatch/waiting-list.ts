import { demandKey, type Demand } from "./demand.ts";
import { fairOrder, Turns, type Claim } from "./fairness.ts";
import { ruleOf, type Rule } from "./matching.ts";

/** A waiting task without its params, which stay in the row until the task is handed over. */
export interface Waiting {
  readonly taskId: string;
  readonly priority: number;
  /** Since when it waits, epoch ms. */
  readonly since: number;
  /** Order of arrival; the row's key. */
  readonly seq: number;
}

/** The waiting tasks that ask the same of their workers, the next to go first. */
export interface Line {
  readonly demand: Demand;
  readonly rule: Rule;
  readonly entries: readonly Waiting[];
}

interface OwnLine extends Line {
  readonly entries: Waiting[];
}

/** Where a waiting task stands. */
export interface Place {
  /** About how many tasks of its type go before it, those of other clients included. */
  readonly ahead: number;
  /** Its place among its own client's tasks of the type, 1 for the next. */
  readonly place: number;
  /** Waiting tasks of its type, of the client and in all. */
  readonly ofClient: number;
  readonly ofType: number;
}

/**
 * The tasks that wait for a worker. Tasks with the same demand form a line, which a worker is held against once. Among
 * the lines a worker can take from, the clients take turns (see {@link Turns}); within a client the larger priority goes
 * first, and each `agingMs` of waiting counts as much as one step of priority.
 */
export class WaitingList {
  readonly #lines = new Map<string, OwnLine>();
  readonly #byType = new Map<string, Set<OwnLine>>();
  readonly #byTask = new Map<string, { readonly entry: Waiting; readonly line: OwnLine; readonly key: string }>();
  readonly #turns = new Turns();
  readonly #agingMs: number;

  /** @param agingMs how long a wait is worth one step of priority */
  constructor(agingMs: number) {
    this.#agingMs = agingMs;
  }

  get size(): number {
    return this.#byTask.size;
  }

  has(taskId: string): boolean {
    return this.#byTask.has(taskId);
  }

  /** Number of waiting tasks of a type. */
  sizeOf(type: string): number {
    let count = 0;
    for (const line of this.#byType.get(type) ?? []) count += line.entries.length;
    return count;
  }

  types(): IterableIterator<string> {
    return this.#byType.keys();
  }

  demandOf(taskId: string): Demand | null {
    return this.#byTask.get(taskId)?.line.demand ?? null;
  }

  add(entry: Waiting, demand: Demand): void {
    const key = demandKey(demand);
    let line = this.#lines.get(key);
    if (line === undefined) {
      line = { demand, rule: ruleOf(demand), entries: [] };
      this.#lines.set(key, line);
      const ofType = this.#byType.get(demand.type);
      if (ofType === undefined) this.#byType.set(demand.type, new Set([line]));
      else ofType.add(line);
    }
    line.entries.splice(this.#indexFor(line, entry), 0, entry);
    this.#byTask.set(entry.taskId, { entry, line, key });
    this.#turns.joined(demand.client);
  }

  remove(taskId: string): Waiting | null {
    const found = this.#byTask.get(taskId);
    if (found === undefined) return null;
    this.#byTask.delete(taskId);
    const { entry, line, key } = found;
    line.entries.splice(line.entries.indexOf(entry, this.#indexFor(line, entry)), 1);
    this.#turns.left(line.demand.client);
    if (line.entries.length > 0) return entry;
    this.#lines.delete(key);
    const ofType = this.#byType.get(line.demand.type);
    ofType?.delete(line);
    if (ofType?.size === 0) this.#byType.delete(line.demand.type);
    return entry;
  }

  /**
   * The task to hand over next of those in lines that `fits`.
   * @param types the task types to look at
   */
  next(
    types: Iterable<string>,
    fits: (line: Line) => boolean,
    now: number,
  ): { readonly entry: Waiting; readonly line: Line } | null {
    /** The first of each client. */
    const firsts = new Map<string, { readonly entry: Waiting; readonly line: OwnLine }>();
    for (const type of types) {
      for (const line of this.#byType.get(type) ?? []) {
        const [entry] = line.entries;
        if (entry === undefined || !fits(line)) continue;
        const other = firsts.get(line.demand.client);
        if (other === undefined || this.#before(entry, other.entry)) firsts.set(line.demand.client, { entry, line });
      }
    }
    let best: { readonly entry: Waiting; readonly line: OwnLine } | null = null;
    for (const each of firsts.values()) {
      if (best === null) best = each;
      else if (fairOrder(this.#claim(each, now), this.#claim(best, now)) < 0) best = each;
    }
    return best;
  }

  /**
   * A task of the client was handed over: it is the others' turn.
   * @param weight how much of the workers the client is to have, 1 for as much as any other
   */
  served(client: string, now: number, weight: number): void {
    this.#turns.served(client, now, weight);
  }

  /** Where a waiting task stands now; null when it does not wait. */
  placeOf(taskId: string, weightOf: (client: string) => number): Place | null {
    const mine = this.#byTask.get(taskId);
    if (mine === undefined) return null;
    const { client, type } = mine.line.demand;
    const counts = new Map<string, number>();
    let before = 0;
    for (const line of this.#byType.get(type) ?? []) {
      const owner = line.demand.client;
      counts.set(owner, (counts.get(owner) ?? 0) + line.entries.length);
      if (owner === client) before += this.#indexFor(line, mine.entry);
    }
    let [ahead, ofType] = [before, 0];
    for (const [owner, count] of counts) {
      ofType += count;
      if (owner !== client) ahead += Math.min(count, Math.ceil(((before + 1) * weightOf(owner)) / weightOf(client)));
    }
    return { ahead, place: before + 1, ofClient: counts.get(client) ?? 0, ofType };
  }

  lines(): Iterable<Line> {
    return this.#lines.values();
  }

  /** All that waits. */
  *all(): Generator<{ readonly entry: Waiting; readonly demand: Demand }> {
    for (const { entry, line } of this.#byTask.values()) yield { entry, demand: line.demand };
  }

  #claim({ entry, line }: { entry: Waiting; line: OwnLine }, now: number): Claim {
    const turn = this.#turns.of(line.demand.client);
    const waited = now - Math.max(entry.since, turn.servedAt);
    return {
      level: entry.priority + Math.max(0, Math.floor(waited / this.#agingMs)),
      share: turn.share,
      rank: this.#rank(entry),
      seq: entry.seq,
    };
  }

  /** The smaller goes first. All tasks age alike, so the order of two never changes while they wait. */
  #rank({ since, priority }: Waiting): number {
    return since - priority * this.#agingMs;
  }

  #before(a: Waiting, b: Waiting): boolean {
    const [rankA, rankB] = [this.#rank(a), this.#rank(b)];
    return rankA === rankB ? a.seq < b.seq : rankA < rankB;
  }

  /** How many entries of the line go before this one. */
  #indexFor({ entries }: Line, entry: Waiting): number {
    let [low, high] = [0, entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const there = entries[middle];
      if (there !== undefined && this.#before(there, entry)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
