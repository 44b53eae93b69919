import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Demand } from "../../../src/dispatch/demand.ts";
import { lookOf, type Look } from "../../../src/dispatch/look.ts";
import { ruleOf, type Candidate } from "../../../src/dispatch/matching.ts";
import { WaitingList } from "../../../src/dispatch/waiting-list.ts";
import { candidate, offerFor } from "../../support/dispatch-builders.ts";
import { T0 } from "../../support/job-builders.ts";

const AGING_MS = 60_000;

/** Whoever looks can take whatever waits. */
const ANYBODY: Look = { worker: null, admits: () => true, fits: () => true };

interface Known {
  readonly taskId: string;
  readonly priority: number;
  readonly since: number;
  readonly seq: number;
  readonly demand: Demand;
}

/** The list as one array that is searched anew each time: what the real one is held against. */
class PlainList {
  tasks: Known[] = [];
  readonly #share = new Map<string, number>();
  readonly #servedAt = new Map<string, number>();
  #now = 0;

  add(task: Known): void {
    const { client } = task.demand;
    if (!this.tasks.some((other) => other.demand.client === client)) {
      this.#share.set(client, Math.max(this.#share.get(client) ?? this.#now, this.#now));
    }
    this.tasks.push(task);
  }

  remove(taskId: string): void {
    this.tasks = this.tasks.filter((task) => task.taskId !== taskId);
  }

  served(client: string, now: number, weight: number): void {
    const share = this.#share.get(client) ?? this.#now;
    this.#now = Math.max(this.#now, share);
    this.#share.set(client, share + 1 / weight);
    this.#servedAt.set(client, now);
  }

  next(types: readonly string[], now: number, canGo: (demand: Demand) => boolean): string | null {
    const age = (task: Known) => task.since - task.priority * AGING_MS;
    const fitting = this.tasks.filter((task) => types.includes(task.demand.type) && canGo(task.demand));
    const firsts = [...new Set(fitting.map((task) => task.demand.client))].flatMap((client) => {
      const own = fitting.filter((task) => task.demand.client === client);
      return own.toSorted((a, b) => age(a) - age(b) || a.seq - b.seq).slice(0, 1);
    });
    const level = (task: Known) => {
      const waited = now - Math.max(task.since, this.#servedAt.get(task.demand.client) ?? -Infinity);
      return task.priority + Math.max(0, Math.floor(waited / AGING_MS));
    };
    const share = (task: Known) => this.#share.get(task.demand.client) ?? 0;
    const [first] = firsts.toSorted(
      (a, b) => level(b) - level(a) || share(a) - share(b) || age(a) - age(b) || a.seq - b.seq,
    );
    return first?.taskId ?? null;
  }
}

const TYPES = ["resize", "crop"] as const;
const WORKERS = ["w0", "w1", "w2"] as const;
const names = { weight: 1, arbitrary: fc.subarray([...WORKERS], { minLength: 1 }) };
const mostly = <T>(value: T) => ({ weight: 3, arbitrary: fc.constant(value) });
/** Whoever looks: a worker, or nobody in particular, and of whom nothing may go at present. */
const looking = fc.record({
  worker: fc.constantFrom(null, ...WORKERS),
  ram: fc.constantFrom(0, 8, 32),
  cost: fc.constantFrom(0.5, 2),
  blocked: fc.subarray(["alice resize", "bob crop", "carol resize"]),
});
const command = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("add" as const),
      type: fc.constantFrom(...TYPES),
      client: fc.constantFrom("alice", "bob", "carol"),
      priority: fc.constantFrom(-1, 0, 0.5, 1, 2),
      maxCost: fc.constantFrom(null, 1),
      requirements: fc.constantFrom(null, null, { ram_gb: 4 }, { ram_gb: 16 }),
      requiredWorkers: fc.oneof(mostly(undefined), names),
      excludedWorkers: fc.oneof(mostly(undefined), names),
      waited: fc.nat({ max: 200_000 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("remove" as const), pick: fc.nat({ max: 30 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("serve" as const),
      types: fc.subarray([...TYPES], { minLength: 1 }),
      looks: looking,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.nat({ max: 100_000 }) }) },
);

function workerLike(id: string, { ram, cost }: { readonly ram: number; readonly cost: number }): Candidate {
  return candidate(id, { resources: { ram_gb: ram }, cost_per_second: cost }, { tasks: new Set(TYPES) });
}

describe("the waiting list", () => {
  test("hands over in the order of a plain array that is searched anew each time", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 80 }), (commands) => {
        const [list, model] = [new WaitingList(AGING_MS), new PlainList()];
        let [now, added] = [T0, 0];
        for (const each of commands) {
          if (each.do === "add") {
            const { do: _, waited: __, priority, ...asked } = each;
            const entry = { taskId: `t${added}`, priority, since: now - each.waited, seq: added };
            const demand = offerFor("t", asked);
            added += 1;
            list.add(entry, demand);
            model.add({ ...entry, demand });
          } else if (each.do === "remove") {
            expect(list.remove(`t${each.pick}`)?.taskId).toBe(
              model.tasks.find((task) => task.taskId === `t${each.pick}`)?.taskId,
            );
            model.remove(`t${each.pick}`);
          } else if (each.do === "serve") {
            const admits = ({ type, client }: Pick<Demand, "type" | "client">) =>
              !each.looks.blocked.includes(`${client} ${type}`);
            const workers = WORKERS.filter((id) => id === (each.looks.worker ?? id)).map((id) =>
              workerLike(id, each.looks),
            );
            const canTake = (demand: Demand) => workers.some((worker) => ruleOf(demand)(worker) === null);
            const [worker] = workers;
            if (worker === undefined) throw new Error("Nobody looks.");
            const look =
              each.looks.worker === null
                ? { worker: null, admits, fits: ({ demand }: { readonly demand: Demand }) => canTake(demand) }
                : lookOf(worker, admits, ({ rule }) => rule);
            const next = list.next(each.types, look, now);
            expect(next?.entry.taskId ?? null).toBe(
              model.next(each.types, now, (demand) => admits(demand) && canTake(demand)),
            );
            if (next === null) continue;
            const { client } = next.line.demand;
            const weight = client === "carol" ? 2 : 1;
            list.served(client, now, weight);
            model.served(client, now, weight);
            list.remove(next.entry.taskId);
            model.remove(next.entry.taskId);
          } else now += each.ms;
          expect(list.size).toBe(model.tasks.length);
          for (const type of TYPES) {
            expect(list.sizeOf(type)).toBe(model.tasks.filter((task) => task.demand.type === type).length);
          }
        }
      }),
    );
  });

  test("asks about tasks with the same demand once", () => {
    const list = new WaitingList(AGING_MS);
    for (let n = 0; n < 100; n += 1) {
      const demand = offerFor(`t${n}`, { requirements: { ram_gb: n % 2 } });
      list.add({ taskId: `t${n}`, priority: 0, since: T0, seq: n }, demand);
    }
    let asked = 0;
    const next = list.next(
      ["resize"],
      {
        ...ANYBODY,
        fits: ({ demand }) => {
          asked += 1;
          return demand.requirements?.["ram_gb"] === 1;
        },
      },
      T0,
    );
    expect([next?.entry.taskId, asked]).toEqual(["t1", 2]);
  });

  test("asks a worker about no tasks for others, and about machines that are the same once", () => {
    const list = new WaitingList(AGING_MS);
    for (let n = 0; n < 1_000; n += 1) {
      const named = n % 2 === 0 ? { requiredWorkers: [`w${n}`] } : { client: `c${n}`, requirements: { ram_gb: 64 } };
      list.add({ taskId: `t${n}`, priority: 0, since: T0, seq: n }, offerFor(`t${n}`, named));
    }
    let asked = 0;
    const worker = candidate("w500", { resources: { ram_gb: 8 } });
    const seen = new Proxy(worker, {
      get: (target, name) => {
        if (name === "info") asked += 1;
        return Reflect.get(target, name);
      },
    });
    const look = lookOf(
      seen,
      () => true,
      ({ rule }) => rule,
    );
    expect(list.next(["resize"], look, T0)?.entry.taskId).toBe("t500");
    expect(asked).toBe(1);
  });

  test("looks at a client's tasks up to the first that fits", () => {
    const list = new WaitingList(AGING_MS);
    for (let n = 0; n < 1_000; n += 1) {
      const over = { requirements: { ram_gb: n / 100 } };
      list.add({ taskId: `t${n}`, priority: n % 3, since: T0, seq: n }, offerFor(`t${n}`, over));
    }
    const asked: string[] = [];
    const fits = ({ entries }: { readonly entries: readonly { readonly taskId: string }[] }) => {
      asked.push(...entries.map(({ taskId }) => taskId));
      return asked.length === 3;
    };
    expect(list.next(["resize"], { ...ANYBODY, fits }, T0)?.entry.taskId).toBe("t8");
    expect(asked).toEqual(["t2", "t5", "t8"]);
  });

  test("knows nothing of what was never added", () => {
    const list = new WaitingList(AGING_MS);
    expect([list.remove("t"), list.has("t"), list.placeOf("t", () => 1)]).toEqual([null, false, null]);
  });
});

/** Serves until the list is empty, a second apart. */
function order(list: WaitingList, weights: Readonly<Record<string, number>> = {}): string[] {
  const served: string[] = [];
  for (let now = T0; ; now += 1_000) {
    const next = list.next(["resize"], ANYBODY, now);
    if (next === null) return served;
    served.push(next.entry.taskId);
    const { client } = next.line.demand;
    list.served(client, now, weights[client] ?? 1);
    list.remove(next.entry.taskId);
  }
}

function filled(tasks: readonly { id: string; client: string; priority?: number; since?: number }[]): WaitingList {
  const list = new WaitingList(AGING_MS);
  for (const [seq, { id, client, priority = 0, since = T0 }] of tasks.entries()) {
    list.add({ taskId: id, priority, since, seq }, offerFor(id, { client }));
  }
  return list;
}

const many = (client: string, count: number, priority = 0) =>
  Array.from({ length: count }, (_, n) => ({ id: `${client}${n}`, client, priority }));

describe("fairness", () => {
  test("one client's many tasks cost another's one task one turn", () => {
    const list = filled([...many("alice", 10_000), { id: "bob", client: "bob" }]);
    expect(list.placeOf("bob", () => 1)).toEqual({ ahead: 1, place: 1, ofClient: 1, ofType: 10_001 });
    expect(order(list).indexOf("bob")).toBeLessThanOrEqual(1);
  });

  test("a client with twice the weight gets twice as much", () => {
    const first = order(filled([...many("alice", 100), ...many("bob", 100)]), { alice: 2 }).slice(0, 60);
    expect(first.filter((id) => id.startsWith("alice"))).toHaveLength(40);
  });

  test("in any stretch, clients that wait all the while get as much as each other, but for one", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("a", "b", "c"), { minLength: 30, maxLength: 90 }), (clients) => {
        const tasks = clients.map((client, n) => ({ id: `${client}${n}`, client }));
        const served = order(filled(tasks));
        const least = Math.min(...["a", "b", "c"].map((name) => clients.filter((each) => each === name).length));
        const early = served.slice(0, 3 * least);
        const counts = ["a", "b", "c"].map((name) => early.filter((id) => id.startsWith(name)).length);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }),
    );
  });

  test("a client that comes late does not make up for when it was away", () => {
    const list = filled(many("alice", 50));
    for (let now = T0; now < T0 + 20_000; now += 1_000) {
      const next = list.next(["resize"], ANYBODY, now);
      list.served("alice", now, 1);
      list.remove(next?.entry.taskId ?? "");
    }
    for (const { id, client } of many("bob", 30)) {
      list.add(
        { taskId: id, priority: 0, since: T0 + 20_000, seq: 1_000 + Number(id.slice(3)) },
        offerFor(id, { client }),
      );
    }
    const bobs = order(list)
      .slice(0, 20)
      .filter((id) => id.startsWith("bob"));
    expect(bobs.length).toBeGreaterThanOrEqual(9);
    expect(bobs.length).toBeLessThanOrEqual(11);
  });
});

describe("priority", () => {
  test("the more important goes first, then the older, whoever's they are", () => {
    const list = filled([
      { id: "old", client: "alice" },
      { id: "new", client: "alice" },
      { id: "urgent", client: "bob", priority: 5 },
      { id: "later", client: "alice", priority: -1 },
    ]);
    expect(order(list)).toEqual(["urgent", "old", "new", "later"]);
  });

  test("a task of low priority does not starve behind its own client's", () => {
    const list = filled([{ id: "low", client: "alice", priority: 0 }]);
    let [seq, low] = [1, -1];
    for (let n = 0; n < 400 && low < 0; n += 1) {
      const now = T0 + n * 1_000;
      list.add({ taskId: `high${n}`, priority: 3, since: now, seq: (seq += 1) }, offerFor("h"));
      const next = list.next(["resize"], ANYBODY, now);
      list.served("alice", now, 1);
      list.remove(next?.entry.taskId ?? "");
      if (next?.entry.taskId === "low") low = n;
    }
    // Three steps of priority are worth three minutes.
    expect(low).toBeGreaterThanOrEqual(180);
    expect(low).toBeLessThan(190);
  });

  test("nor behind another client's, however many there are", () => {
    const served = order(filled([...many("alice", 1_000, 5), { id: "low", client: "bob" }]));
    expect(served.indexOf("low")).toBeLessThanOrEqual(5 * 60 + 1);
  });
});
