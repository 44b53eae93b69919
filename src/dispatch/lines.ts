import type { Demand } from "./demand.ts";
import type { Look } from "./look.ts";
import type { Rule } from "./matching.ts";

/** A waiting task without its params, which stay in the row until the task is handed over. */
export interface Waiting {
  readonly taskId: string;
  readonly priority: number;
  /** Since when it waits, epoch ms. */
  readonly since: number;
  /** Order of arrival; the row's key. */
  readonly seq: number;
}

/** Negative when the first goes before the second. The order of two tasks never changes while they wait. */
export type EntryOrder = (a: Waiting, b: Waiting) => number;

/** The waiting tasks that ask the same of their workers, the next to go first. */
export interface Line {
  readonly demand: Demand;
  readonly rule: Rule;
  /** The part of the rule that many lines have in common; the same function for all of them. */
  readonly machine: Rule;
  readonly entries: readonly Waiting[];
}

/** How many of the items, which are in order, go before one. */
function countBefore<T>(items: readonly T[], goesBefore: (item: T) => boolean): number {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const there = items[middle];
    if (there !== undefined && goesBefore(there)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A line that can be changed. To be done by {@link LinesOfType} only, which keeps lines in order. */
export class OwnLine implements Line {
  readonly demand: Demand;
  readonly rule: Rule;
  readonly machine: Rule;
  readonly entries: Waiting[] = [];
  readonly #order: EntryOrder;

  constructor(demand: Demand, rule: Rule, machine: Rule, order: EntryOrder) {
    this.demand = demand;
    this.rule = rule;
    this.machine = machine;
    this.#order = order;
  }

  /** How many entries go before this one. */
  indexOf(entry: Waiting): number {
    return countBefore(this.entries, (there) => this.#order(there, entry) < 0);
  }
}

/** The lines of one client and one type, by their first entries. */
interface ClientLines {
  /** Lines for whichever worker. */
  readonly open: OwnLine[];
  /** Lines for workers that they name. */
  readonly named: OwnLine[];
}

/**
 * The lines of one task type. Kept so that whoever looks need not look at all of them: each client's lines are in the
 * order in which they go, and are looked at up to the first that fits; those for certain workers are found by the
 * worker's name.
 */
export class LinesOfType {
  readonly #order: EntryOrder;
  readonly #byClient = new Map<string, ClientLines>();
  readonly #byWorker = new Map<string, Set<OwnLine>>();
  #size = 0;

  constructor(order: EntryOrder) {
    this.#order = order;
  }

  /** Waiting tasks. */
  get size(): number {
    return this.#size;
  }

  clients(): IterableIterator<string> {
    return this.#byClient.keys();
  }

  *all(): Generator<OwnLine> {
    for (const { open, named } of this.#byClient.values()) {
      yield* open;
      yield* named;
    }
  }

  /** Puts an entry into a line. */
  add(line: OwnLine, entry: Waiting): void {
    this.#size += 1;
    const at = line.indexOf(entry);
    if (at === 0) this.#takeOut(line);
    line.entries.splice(at, 0, entry);
    if (at === 0) this.#putIn(line);
  }

  /** Takes an entry out of the line it is in. */
  remove(line: OwnLine, entry: Waiting): void {
    this.#size -= 1;
    const at = line.indexOf(entry);
    if (at === 0) this.#takeOut(line);
    line.entries.splice(at, 1);
    if (at === 0) this.#putIn(line);
  }

  /** Lines that fit, among them, of each client, the one whose first entry goes before those of all others that do. */
  *firsts(look: Look): Generator<OwnLine> {
    for (const { open, named } of this.#byClient.values()) {
      const [some] = open.length > 0 ? open : named;
      if (some === undefined || !look.admits(some.demand)) continue;
      const first = open.find(look.fits);
      if (first !== undefined) yield first;
      if (look.worker !== null) continue;
      const other = named.find(look.fits);
      if (other !== undefined) yield other;
    }
    if (look.worker === null) return;
    for (const line of this.#byWorker.get(look.worker) ?? [])
      if (look.admits(line.demand) && look.fits(line)) yield line;
  }

  #takeOut(line: OwnLine): void {
    if (line.entries.length === 0) return;
    const { client, requiredWorkers = [] } = line.demand;
    const own = this.#byClient.get(client);
    if (own === undefined) return;
    const list = requiredWorkers.length > 0 ? own.named : own.open;
    list.splice(this.#indexOf(list, line), 1);
    if (own.open.length + own.named.length === 0) this.#byClient.delete(client);
    for (const worker of requiredWorkers) {
      const lines = this.#byWorker.get(worker);
      lines?.delete(line);
      if (lines?.size === 0) this.#byWorker.delete(worker);
    }
  }

  #putIn(line: OwnLine): void {
    if (line.entries.length === 0) return;
    const { client, requiredWorkers = [] } = line.demand;
    let own = this.#byClient.get(client);
    if (own === undefined) this.#byClient.set(client, (own = { open: [], named: [] }));
    const list = requiredWorkers.length > 0 ? own.named : own.open;
    list.splice(this.#indexOf(list, line), 0, line);
    for (const worker of requiredWorkers) {
      const lines = this.#byWorker.get(worker);
      if (lines === undefined) this.#byWorker.set(worker, new Set([line]));
      else lines.add(line);
    }
  }

  #indexOf(list: readonly OwnLine[], { entries: [first] }: OwnLine): number {
    if (first === undefined) return list.length;
    return countBefore(list, ({ entries: [there] }) => there !== undefined && this.#order(there, first) < 0);
  }
}
