import { demandKey, type Demand } from "./demand.ts";
import { fairOrder, Turns, type Claim } from "./fairness.ts";
import { LinesOfType, OwnLine, type EntryOrder, type Line, type Waiting } from "./lines.ts";
import type { Look } from "./look.ts";
import { machineKey, machineRuleOf, ruleOf, type Rule } from "./matching.ts";

interface Head {
  readonly entry: Waiting;
  readonly line: OwnLine;
}

/** Lines whose demands are alike but for clients and names of workers. */
interface Machine {
  readonly rule: Rule;
  lines: number;
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
  readonly #byType = new Map<string, LinesOfType>();
  readonly #byTask = new Map<string, Head & { readonly key: string }>();
  readonly #machines = new Map<string, Machine>();
  readonly #turns = new Turns();
  readonly #agingMs: number;
  readonly #order: EntryOrder = (a, b) => this.#rank(a) - this.#rank(b) || a.seq - b.seq;

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
    return this.#byType.get(type)?.size ?? 0;
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
      line = new OwnLine(demand, ruleOf(demand), this.#machineOf(demand).rule, this.#order);
      this.#lines.set(key, line);
    }
    let ofType = this.#byType.get(demand.type);
    if (ofType === undefined) this.#byType.set(demand.type, (ofType = new LinesOfType(this.#order)));
    ofType.add(line, entry);
    this.#byTask.set(entry.taskId, { entry, line, key });
    this.#turns.joined(demand.client);
  }

  remove(taskId: string): Waiting | null {
    const found = this.#byTask.get(taskId);
    if (found === undefined) return null;
    this.#byTask.delete(taskId);
    const { entry, line, key } = found;
    const { demand } = line;
    const ofType = this.#byType.get(demand.type);
    ofType?.remove(line, entry);
    if (ofType?.size === 0) this.#byType.delete(demand.type);
    this.#turns.left(demand.client);
    if (line.entries.length > 0) return entry;
    this.#lines.delete(key);
    this.#leaveMachine(demand);
    return entry;
  }

  /**
   * The task to hand over next of those in lines that fit.
   * @param types the task types to look at
   */
  next(types: Iterable<string>, look: Look, now: number): { readonly entry: Waiting; readonly line: Line } | null {
    /** The first of each client. */
    const firsts = new Map<string, Head>();
    for (const type of types) {
      for (const line of this.#byType.get(type)?.firsts(look) ?? []) {
        const [entry] = line.entries;
        const other = firsts.get(line.demand.client);
        if (entry !== undefined && (other === undefined || this.#order(entry, other.entry) < 0))
          firsts.set(line.demand.client, { entry, line });
      }
    }
    let best: { readonly head: Head; readonly claim: Claim } | null = null;
    for (const head of firsts.values()) {
      const claim = this.#claim(head, now);
      if (best === null || fairOrder(claim, best.claim) < 0) best = { head, claim };
    }
    return best?.head ?? null;
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
    for (const line of this.#byType.get(type)?.all() ?? []) {
      const owner = line.demand.client;
      counts.set(owner, (counts.get(owner) ?? 0) + line.entries.length);
      if (owner === client) before += line.indexOf(mine.entry);
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

  /** The types and clients of all that waits, each pair once. */
  *pairs(): Generator<Pick<Demand, "type" | "client">> {
    for (const [type, lines] of this.#byType) for (const client of lines.clients()) yield { type, client };
  }

  #machineOf(demand: Demand): Machine {
    const key = machineKey(demand);
    const machine = this.#machines.get(key) ?? { rule: machineRuleOf(demand), lines: 0 };
    machine.lines += 1;
    this.#machines.set(key, machine);
    return machine;
  }

  #leaveMachine(demand: Demand): void {
    const key = machineKey(demand);
    const machine = this.#machines.get(key);
    if (machine === undefined) return;
    machine.lines -= 1;
    if (machine.lines === 0) this.#machines.delete(key);
  }

  #claim({ entry, line }: Head, now: number): Claim {
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
}
