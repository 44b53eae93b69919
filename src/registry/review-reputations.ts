import { mapLimit, PARALLEL_CALLS } from "../../durable-objects/shared/map-limit.ts";
import type { Env } from "../env.ts";
import { successRates } from "../history/success-rates.ts";
import { callShard } from "./call-shard.ts";
import type { ShardPlan } from "./shard-plan.ts";

/** What counts for a reputation (spec §3). */
const HISTORY_MS = 30 * 86_400_000;

/**
 * Brings the reputations of all workers nearer to what history says of them: one query, and two calls to each shard.
 * @param now epoch ms
 * @throws what the database or a shard throws; the next review makes up for it
 */
export async function reviewReputations(env: Env, { names }: Pick<ShardPlan, "names">, now: number): Promise<void> {
  const resets = await mapLimit(names, PARALLEL_CALLS, (name) =>
    callShard(env, name, (shard) => shard.reputationResets()),
  );
  const rates = await successRates(env.HISTORY_DB, {
    since: now - HISTORY_MS,
    resets: resets.flat(),
    from: crypto.randomUUID(),
  });
  await mapLimit(names, PARALLEL_CALLS, (name) => callShard(env, name, (shard) => shard.reviewReputations(rates)));
}
