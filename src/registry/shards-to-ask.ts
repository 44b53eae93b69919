import type { Hearsay, StuckTask } from "./choose-shard.ts";
import { byRendezvous } from "./rendezvous.ts";
import { shardsNear, type ShardPlan } from "./shard-plan.ts";

/** Shards of the task's region, and of others, that are asked who is free. */
const ASKED_NEAR = 2;
const ASKED_FAR = 2;

/**
 * Whom to ask before a waiting task is moved. Not everybody: each isolate has jobs that wait, and a shard that is asked
 * by all of them every second would have no time for anything else. A task asks its own shard, and a few that have
 * workers for it who is free, nearer ones more often and each time others. One whose shard has no worker for it asks all
 * that were not heard of lately.
 * @param turn makes the choice another one each time
 */
export function shardsToAsk(plan: ShardPlan, task: StuckTask, heardOf: Hearsay, turn: string): string[] {
  const { type, shard: here } = task;
  const heard = heardOf(here, type);
  const isHopeless = !plan.names.includes(here) || heard?.draining === true || heard?.counts.workers === 0;
  const rings = shardsNear(plan, task.region).map((shards) => shards.filter((shard) => shard !== here));
  const unknown = rings.flat().filter((shard) => heardOf(shard, type) === null);
  const asked = new Set(isHopeless ? unknown : []);
  if (heard?.fresh !== true && plan.names.includes(here)) asked.add(here);
  if (!isHopeless && !task.overdue) return [...asked];
  const [near = [], ...further] = rings;
  const distance = new Map(further.flatMap((shards, i) => shards.map((shard) => [shard, i + 1] as const)));
  const nearness = (shard: string) => 1 / (distance.get(shard) ?? 1);
  /** Those that are known to have no such workers come last: they may have some by now. */
  const some = (shards: readonly string[], count: number) => {
    const open = shards.filter((shard) => heardOf(shard, type)?.fresh !== true);
    const barren = (shard: string) =>
      heardOf(shard, type)?.draining === true || heardOf(shard, type)?.counts.workers === 0;
    const inTurn = byRendezvous(open, turn, nearness);
    return [...inTurn.filter((shard) => !barren(shard)), ...inTurn.filter(barren)].slice(0, count);
  };
  for (const shard of some(near, ASKED_NEAR)) asked.add(shard);
  for (const shard of some([...distance.keys()], ASKED_FAR)) asked.add(shard);
  return [...asked];
}
