import { mapLimit, PARALLEL_CALLS } from "../../durable-objects/shared/map-limit.ts";
import type { Env } from "../env.ts";
import { callShard } from "./call-shard.ts";
import type { Region } from "./regions.ts";
import { FIRST_SHARD, formerHomes, homeOf, isSingle, type ShardPlan } from "./shard-plan.ts";
import { ShortMemory } from "./short-memory.ts";

/** A worker that makes a request, and where it seems to be. */
export interface VisitingWorker {
  readonly id: string;
  readonly region: Region | null;
}

/** Workers whose shard is not the one of the place they call from. */
const elsewhere = new ShortMemory<string>(60_000);

/** Workers that no shard knows: one that polls without having registered must not cost a call to each shard every time. */
const nowhere = new ShortMemory<true>(30_000);

/** What an answer of a shard says of whether it has the worker: `in doubt` stands when no other shard has it. */
export type Knows = "yes" | "no" | "in doubt";

/**
 * Calls the shard that has a worker. Where that shard does not know it, another may: shards were added, or the worker
 * called from another place. Then it is moved, or found to belong where it is, and called there.
 * @param call what is asked of the shard; with `ifKnown` the shard is to do nothing for a worker it does not know
 * @param knows what an answer says of that
 */
export async function atHome<Answer>(
  env: Env,
  plan: ShardPlan,
  worker: VisitingWorker,
  call: (shard: string, ifKnown: boolean) => Promise<Answer>,
  knows: (answer: Answer) => Knows,
): Promise<Answer> {
  if (isSingle(plan)) return call(plan.names[0] ?? FIRST_SHARD, false);
  const home = elsewhere.get(worker.id, Date.now()) ?? homeOf(plan, worker.region, worker.id);
  const answer = await call(home, true);
  const isHere = knows(answer);
  if (isHere === "yes") return answer;
  const belongs = homeOf(plan, worker.region, worker.id);
  const found = await findWorker(env, plan, worker, belongs);
  // Asked a second time, a shard does not say once more what it says once.
  const shard = typeof found === "string" ? belongs : found.stays;
  if (isHere === "in doubt" && found !== "moved" && shard === home) return answer;
  return call(shard, false);
}

/** A worker has registered: from now on it is in the shard of the region it named. */
export function noteRegistered(plan: ShardPlan, worker: VisitingWorker): void {
  if (isSingle(plan)) return;
  nowhere.delete(worker.id);
  elsewhere.set(worker.id, homeOf(plan, worker.region, worker.id), Date.now());
}

/**
 * Looks for a worker in all shards but its home, the likeliest first, and has it moved there.
 * @returns the shard that it is to stay in, when that is another one
 */
async function findWorker(
  env: Env,
  plan: ShardPlan,
  worker: VisitingWorker,
  home: string,
): Promise<{ readonly stays: string } | "moved" | "nowhere"> {
  if (nowhere.get(worker.id, Date.now()) === true) return "nowhere";
  elsewhere.delete(worker.id);
  const [likeliest, ...others] = formerHomes(plan, worker.region, worker.id);
  let stays: string | null = null;
  let moved = false;
  const ask = async (name: string) => {
    try {
      const said = await callShard(env, name, (shard) => shard.surrender(worker.id, home));
      if (said === "stays") stays = name;
      if (said === "moved") moved = true;
    } catch {
      // A shard that is away keeps the worker; it is asked again when the worker comes back.
    }
  };
  if (likeliest !== undefined) await ask(likeliest);
  if (!moved && stays === null) await mapLimit(others, PARALLEL_CALLS, ask);
  if (moved) return "moved";
  if (stays === null) {
    nowhere.set(worker.id, true, Date.now());
    return "nowhere";
  }
  elsewhere.set(worker.id, stays, Date.now());
  return { stays };
}
