import { mapLimit, PARALLEL_CALLS } from "../../durable-objects/shared/map-limit.ts";
import { TELLING_RESULTS } from "../dispatch/reputation.ts";
import type { Env } from "../env.ts";
import { successRates } from "../history/success-rates.ts";
import { callShard } from "./call-shard.ts";
import type { ShardPlan } from "./shard-plan.ts";

/** What counts for a reputation (spec §3). */
const HISTORY_MS = 30 * 86_400_000;

/**
 * Brings the reputations of all workers nearer to what history says of them: one query, one call to each
 * shard, and one more to those that it concerns.
 * @param now epoch ms
 * @throws what the database or a shard throws; the next review makes up for it
 */
export async function reviewReputations(env: Env, { names }: Pick<ShardPlan, "names">, now: number): Promise<void> {
  const states = await mapLimit(names, PARALLEL_CALLS, async (name) => {
    const { resets, any } = await callShard(env, name, (shard) => shard.reputationState());
    return { name, resets, any };
  });
  const { rates, complete } = await successRates(env.HISTORY_DB, {
    since: now - HISTORY_MS,
    resets: states.flatMap(({ resets }) => resets),
    from: crypto.randomUUID(),
  });
  // Of the whole history, who is missing counts as good. Of a sample, few results say nothing.
  const told = new Map(
    [...rates].filter(([, { rate, results }]) => (complete ? rate < 1 : results >= TELLING_RESULTS)),
  );
  const concerned = states.filter(({ any }) => any || told.size > 0);
  await mapLimit(concerned, PARALLEL_CALLS, ({ name }) =>
    callShard(env, name, (shard) => shard.reviewReputations(told, complete)),
  );
}
