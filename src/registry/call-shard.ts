import type { RegistryShard } from "../../durable-objects/registry-shard/registry-shard-object.ts";
import { callObject } from "../../durable-objects/shared/call-object.ts";
import type { Env } from "../env.ts";
import { SHARD_ANSWER_MS } from "../limits.ts";
import { hintOf } from "./shard-plan.ts";

type ShardStub = DurableObjectStub<RegistryShard>;

function placement(name: string): DurableObjectNamespaceGetDurableObjectOptions | undefined {
  const locationHint = hintOf(name);
  return locationHint === undefined ? undefined : { locationHint };
}

/**
 * Calls a shard, as {@link callObject} calls an object. An object is placed where the first call of its life asks for
 * and stays there, so that every call must name the place.
 */
export function callShard<Answer extends Promise<unknown>>(
  env: Pick<Env, "REGISTRY">,
  name: string,
  call: (shard: ShardStub) => Answer,
): Promise<Awaited<Answer>> {
  return callObject(env.REGISTRY, name, call, placement(name));
}

/**
 * As {@link callShard}, for those who ask many shards and can do without one.
 * @throws also when the shard has not answered within {@link SHARD_ANSWER_MS}; its answer is then of no use
 */
export async function callShardInTime<Answer extends Promise<unknown>>(
  env: Pick<Env, "REGISTRY">,
  name: string,
  call: (shard: ShardStub) => Answer,
): Promise<Awaited<Answer>> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`${name} did not answer within ${SHARD_ANSWER_MS / 1000} s.`)),
    SHARD_ANSWER_MS,
  );
  try {
    return await Promise.race([callShard(env, name, call), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Opens a line to a shard: `path` is one that its object answers with a WebSocket, or with 404 where it says so. */
export function openLine(
  env: Pick<Env, "REGISTRY">,
  name: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const stub = env.REGISTRY.getByName(name, placement(name));
  return stub.fetch(`https://shard${path}`, { headers: { ...headers, Upgrade: "websocket" } });
}
