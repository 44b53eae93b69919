import type { Context } from "hono";
import type { RegistryShard } from "../../durable-objects/registry-shard/registry-shard-object.ts";
import { mapLimit, PARALLEL_CALLS } from "../../durable-objects/shared/map-limit.ts";
import { log } from "../observability/log.ts";
import { callShardInTime } from "../registry/call-shard.ts";
import type { HttpEnv } from "./http-env.ts";
import { Problem } from "./problem.ts";

/**
 * All shards, and those that are to be left.
 * @param only the one that is asked for, if one is
 * @throws {Problem} 404 when there is no such shard
 */
export function shardNames(c: Context<HttpEnv>, only?: string): string[] {
  const { names, former } = c.get("settings").shards;
  const all = [...names, ...former];
  if (only === undefined) return all;
  if (all.includes(only)) return [only];
  throw new Problem(404, "not_found", `There is no shard ${only}. There are: ${all.join(", ")}.`);
}

/** Says in a header, and in the log, which shards did not answer, so that an answer without them is not taken for the whole. */
export function nameAway(c: Context<HttpEnv>, away: readonly string[]): void {
  if (away.length === 0) return;
  c.header("X-Unreachable-Shards", away.join(", "));
  log(c.get("settings"), "WARNING", "shards.unreachable", { shards: away.join(", "), path: c.req.path });
}

/** Calls all shards. Those that do not answer are named, as by {@link nameAway}, and hold up nobody. */
export async function tellShards(
  c: Context<HttpEnv>,
  call: (shard: DurableObjectStub<RegistryShard>) => Promise<void>,
): Promise<void> {
  const away: string[] = [];
  await mapLimit(shardNames(c), PARALLEL_CALLS, async (name) => {
    try {
      await callShardInTime(c.env, name, call);
    } catch {
      away.push(name);
    }
  });
  nameAway(c, away);
}
