import { nextSpillLook } from "../../src/job/spill-time.ts";
import { planMoves } from "../../src/registry/choose-shard.ts";
import { nearestFirst, type Region } from "../../src/registry/regions.ts";
import { hintOf, homeOf, parseShards, type ShardPlan } from "../../src/registry/shard-plan.ts";
import { shardsToAsk } from "../../src/registry/shards-to-ask.ts";
import { ShardNews } from "../../src/registry/shard-summaries.ts";
import { Agenda } from "./agenda.ts";
import { SimulatedShard, TYPE, type Bill, type Task } from "./shard.ts";

/** Where the fleet is: the share of the workers of each region. */
const FLEET: readonly (readonly [Region, number])[] = [
  ["enam", 0.3],
  ["weur", 0.3],
  ["wnam", 0.15],
  ["apac", 0.15],
  ["eeur", 0.1],
];

export interface Scenario {
  readonly shards: number;
  readonly workers: number;
  readonly tasksPerSecond: number;
  readonly meanRunMs: number;
  /** Share of all tasks that prefer the second region; null: tasks come from where the workers are. */
  readonly skew: number | null;
  readonly seconds: number;
  /** How much of that is not measured, at the beginning. */
  readonly warmUpSeconds: number;
  /** How long a shard is at work for one call. */
  readonly callMs: number;
  /** Isolates in which jobs live: each hears of shards for itself. */
  readonly isolates: number;
  readonly spillAfterMs: number;
  readonly seed: number;
}

export interface Outcome {
  readonly tasks: number;
  /** Tasks that no worker had by the end. */
  readonly left: number;
  /** From the job's step to a worker that has the task. */
  readonly waits: readonly number[];
  readonly moved: number;
  /** Tasks that ran in another region than they preferred. */
  readonly abroad: number;
  /** Busiest shard and mean of all, 0 to 1. */
  readonly busiest: number;
  readonly meanBusy: number;
  readonly activeShardMs: number;
  readonly bill: Bill;
  /** Summaries that were asked for, in requests. */
  readonly summaries: number;
}

/** One way between two regions, ms: 5 within one, 20 more for each step in the order of nearness. */
function oneWay(from: Region, to: Region): number {
  return 5 + 20 * nearestFirst(from).indexOf(to);
}

/** A small generator, so that a run can be repeated. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Shards by region as the fleet is spread, at least one each. */
function planFor(shards: number): ShardPlan {
  const counts = FLEET.map(([region, share]) => ({ region, share, count: Math.max(1, Math.floor(share * shards)) }));
  const left = () => shards - counts.reduce((sum, { count }) => sum + count, 0);
  while (left() > 0) {
    const neediest = counts.toSorted((a, b) => b.share / b.count - a.share / a.count)[0];
    if (neediest !== undefined) neediest.count += 1;
  }
  const parsed = parseShards(counts.map(({ region, count }) => `${region}=${count}`).join(", "));
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

/** Runs a scenario from a fleet that has been at work for long. */
export function simulate(scenario: Scenario): Outcome {
  const { workers, tasksPerSecond, meanRunMs, skew, seconds, callMs, isolates, spillAfterMs } = scenario;
  const chance = random(scenario.seed);
  const agenda = new Agenda();
  const bill: Bill = { rows: 0, requests: 0 };
  const plan = planFor(scenario.shards);
  const shards = new Map(plan.names.map((name) => [name, new SimulatedShard(name, agenda, callMs, bill)]));
  const news = Array.from({ length: isolates }, () => new ShardNews());
  const shardNamed = (name: string): SimulatedShard => {
    const shard = shards.get(name);
    if (shard === undefined) throw new Error(`There is no shard ${name}.`);
    return shard;
  };
  const runMs = () => -Math.log(1 - chance()) * meanRunMs;
  const pick = (shares: readonly (readonly [Region, number])[]): Region => {
    let point = chance();
    for (const [region, share] of shares) if ((point -= share) < 0) return region;
    return shares[0]?.[0] ?? "weur";
  };
  const wishes = skew === null ? FLEET : skewed(skew);

  // The fleet, busy as it is after a long time at this load: what runs for an exponential time has the same left.
  const busy = busyShares(wishes, (tasksPerSecond * meanRunMs) / 1000 / workers);
  for (let i = 0; i < workers; i += 1) {
    const region = pick(FLEET);
    const shard = shardNamed(homeOf(plan, region, `worker-${i}`));
    shard.workers += 1;
    if (chance() < (busy.get(region) ?? 0)) shard.busy(runMs());
    else shard.free += 1;
  }

  const warmUpMs = scenario.warmUpSeconds * 1000;
  const waits: number[] = [];
  let [tasks, tasksBefore, moved, abroad, summaries] = [0, 0, 0, 0, 0];

  /** One task of a job, from the job's step on. */
  const begin = () => {
    const region = pick(wishes);
    const isolate = news[Math.floor(chance() * isolates)] ?? new ShardNews();
    const tried = new Set<string>();
    const bornAt = agenda.now;
    let here = isolate.place(plan, { taskId: `t${tasks}`, type: TYPE, region }, bornAt);
    let hasLook = false;
    const task: Task = {
      id: `t${tasks}`,
      bornAt,
      runMs: runMs(),
      taken: () => {
        if (bornAt < warmUpMs) return;
        waits.push(agenda.now - bornAt);
        if (hintOf(here) !== region) abroad += 1;
      },
    };
    tasks += 1;
    // The job's own: created, and told the result; each of its turns is a row, and each of its two alarms.
    bill.requests += 2;
    bill.rows += 4;
    const trip = () => oneWay(region, hintOf(here) ?? region);
    const offer = () => {
      const shard = shardNamed(here);
      shard.call(agenda.now + trip(), 1, () => {
        if (shard.offer(task)) return;
        const { counts } = shard;
        agenda.at(agenda.now + trip(), () => {
          isolate.noteCounts(here, TYPE, { draining: false, counts }, agenda.now);
          if (counts.workers === 0 && tried.size === 0) look();
          else lookLater();
        });
      });
    };
    const lookLater = () => {
      if (hasLook) return;
      hasLook = true;
      bill.rows += 1;
      const at = nextSpillLook([{ dispatchedAt: bornAt }], agenda.now, spillAfterMs);
      agenda.at(at, () => {
        hasLook = false;
        bill.requests += 1;
        look();
      });
    };
    const stuckAt = (now: number) => {
      const overdue = bornAt + spillAfterMs <= now;
      return { taskId: task.id, type: TYPE, region, shard: here, overdue, tried };
    };
    const look = () => {
      if (!shardNamed(here).isWaiting(task)) return;
      const now = agenda.now;
      const asked = shardsToAsk(plan, stuckAt(now), (shard, type) => isolate.of(shard, type, now), `${task.id} ${now}`);
      let farthest = 0;
      for (const name of asked) {
        const shard = shardNamed(name);
        const way = oneWay(region, hintOf(name) ?? region);
        farthest = Math.max(farthest, 2 * way + callMs);
        summaries += 1;
        shard.call(agenda.now + way, 1, () => {
          const summary = { draining: false, types: { [TYPE]: shard.counts } };
          agenda.at(agenda.now + way, () => isolate.noteSummary(name, summary, agenda.now));
        });
      }
      agenda.at(agenda.now + farthest, decide);
    };
    const decide = () => {
      const now = agenda.now;
      const target = planMoves(plan, [stuckAt(now)], (shard, type) => isolate.of(shard, type, now)).get(task.id);
      const shard = shardNamed(here);
      // Either the task is taken back, or the job asks where it is.
      shard.call(now + trip(), 1, () => {
        if (target === undefined) return shard.isWaiting(task) ? lookLater() : undefined;
        if (!shard.withdraw(task)) return;
        tried.add(here);
        moved += 1;
        bill.rows += 1;
        here = target;
        offer();
      });
    };
    offer();
    agenda.at(agenda.now + (-Math.log(1 - chance()) * 1000) / tasksPerSecond, begin);
  };
  begin();
  agenda.runUntil(warmUpMs);
  [tasksBefore, moved, summaries] = [tasks, 0, 0];
  bill.rows = 0;
  bill.requests = 0;
  for (const shard of shards.values()) shard.activeMs = 0;
  agenda.runUntil(seconds * 1000);

  const measuredMs = seconds * 1000 - warmUpMs;
  const active = [...shards.values()].map((shard) => shard.activeMs);
  const activeShardMs = active.reduce((sum, ms) => sum + ms, 0);
  return {
    tasks: tasks - tasksBefore,
    left: tasks - tasksBefore - waits.length,
    waits: waits.toSorted((a, b) => a - b),
    moved,
    abroad,
    busiest: Math.max(...active) / measuredMs,
    meanBusy: activeShardMs / active.length / measuredMs,
    activeShardMs,
    bill,
    summaries,
  };
}

/** The share of busy workers of each region: what is too much for one runs in the others, as far as they have room. */
function busyShares(wishes: readonly (readonly [Region, number])[], load: number): Map<Region, number> {
  const parts = FLEET.map(([region, share], i) => ({ region, share, wanted: load * (wishes[i]?.[1] ?? 0) }));
  const excess = parts.reduce((sum, { share, wanted }) => sum + Math.max(0, wanted - share), 0);
  const room = parts.reduce((sum, { share, wanted }) => sum + Math.max(0, share - wanted), 0);
  const filled = room === 0 ? 1 : Math.min(1, excess / room);
  return new Map(
    parts.map(({ region, share, wanted }) => [
      region,
      wanted >= share ? 1 : (wanted + (share - wanted) * filled) / share,
    ]),
  );
}

/** Tasks of which a share prefers the second region; the others are spread as the rest of the fleet. */
function skewed(share: number): readonly (readonly [Region, number])[] {
  const [, hot] = FLEET;
  if (hot === undefined) return FLEET;
  const rest = 1 - hot[1];
  return FLEET.map(([region, part]) => [region, region === hot[0] ? share : (part / rest) * (1 - share)]);
}
