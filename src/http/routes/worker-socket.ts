import type { Context } from "hono";
import { WORKER_SUBPROTOCOL } from "../../access/credentials.ts";
import type { HttpEnv } from "../http-env.ts";
import { Problem } from "../problem.ts";
import { openWorkersLine } from "./workers-shard.ts";

/**
 * Opens a worker's socket.
 * @param workerId undefined for a worker of an early SDK, of which only the token is known
 */
export async function openWorkerSocket(c: Context<HttpEnv>, workerId: string | undefined): Promise<Response> {
  if (c.req.header("Upgrade")?.toLowerCase() !== "websocket") {
    throw new Problem(426, "upgrade_required", "This is a WebSocket endpoint.", { headers: { Upgrade: "websocket" } });
  }
  const webSocket = await openWorkersLine(c, "ws", workerId ?? null);
  const offered = c.req.header("Sec-WebSocket-Protocol")?.includes(WORKER_SUBPROTOCOL) === true;
  const headers = offered ? { "Sec-WebSocket-Protocol": WORKER_SUBPROTOCOL } : {};
  return new Response(null, { status: 101, webSocket, headers });
}
