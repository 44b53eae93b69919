import type { Context } from "hono";
import { openLine } from "../../registry/call-shard.ts";
import { atHome, type Knows } from "../../registry/worker-home.ts";
import { regionOfWorker } from "../../registry/worker-region.ts";
import type { HttpEnv } from "../http-env.ts";

/**
 * Calls the shard that has the worker of the request; see {@link atHome}.
 * @param registered the region that the worker registers with, where it does
 */
export function atWorkersShard<Answer>(
  c: Context<HttpEnv>,
  workerId: string,
  call: (shard: string, ifKnown: boolean) => Promise<Answer>,
  knows: (answer: Answer) => Knows,
  registered?: string | null,
): Promise<Answer> {
  const worker = { id: workerId, region: regionOfWorker(c.req.raw, registered) };
  return atHome(c.env, c.get("settings").shards, worker, call, knows);
}

/**
 * Opens a line of a worker to its shard.
 * @param workerId null for a worker that does not say its name: its shard is whichever is near
 * @param said what goes along to the shard
 * @param headers what goes along that is not to be read in an address
 */
export async function openWorkersLine(
  c: Context<HttpEnv>,
  kind: "ws" | "poll",
  workerId: string | null,
  said = new URLSearchParams(),
  headers: Readonly<Record<string, string>> = {},
): Promise<WebSocket> {
  const path = workerId === null ? `/${kind}` : `/${kind}/${workerId}`;
  const open = (shard: string, ifKnown: boolean) => {
    const query = new URLSearchParams(said);
    if (ifKnown && workerId !== null) query.set("known", "");
    return openLine(c.env, shard, query.size === 0 ? path : `${path}?${query.toString()}`, headers);
  };
  const { webSocket } = await atWorkersShard(c, workerId ?? "", open, ({ status }) => (status === 404 ? "no" : "yes"));
  if (webSocket === null) throw new Error("The registry did not open a line for a worker.");
  return webSocket;
}
