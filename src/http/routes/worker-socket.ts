import type { Context } from "hono";
import { WORKER_SUBPROTOCOL } from "../../access/credentials.ts";
import { sealKeys, SOCKET_KEYS_HEADER, SOCKET_SESSION_HEADER } from "../../access/sealed-keys.ts";
import type { HttpEnv } from "../http-env.ts";
import { Problem } from "../problem.ts";
import { openWorkersLine } from "./workers-shard.ts";

const SESSION = /^[\w-]{1,64}$/;

/**
 * What the shard needs to check frames, where they must be signed. The token that opened the socket is the key of its
 * frames, and goes along sealed: nothing keeps it as it is.
 * @throws {Problem} when frames could not be checked
 */
function signingHeaders(c: Context<HttpEnv>, workerId: string | undefined): Record<string, string> {
  const { signedMessages, signingSecret } = c.get("settings");
  if (!signedMessages) return {};
  if (workerId === undefined) {
    const text =
      "Messages must be signed here, and a socket that names no worker cannot be: connect to /_worker/ws/{worker_id}.";
    throw new Problem(403, "not_signed", text);
  }
  if (signingSecret === null) {
    const text =
      "This deployment takes signed messages only, and has no SIGNING_SECRET, without which it cannot check what comes by a socket. Set it, or let workers poll (WORKER_ENABLE_WEBSOCKETS=false).";
    throw new Problem(501, "configuration_error", text);
  }
  const session = c.req.query("session");
  if (session !== undefined && !SESSION.test(session)) {
    throw new Problem(400, "bad_request", "session must be 1 to 64 letters, digits, '_' or '-'.");
  }
  return {
    [SOCKET_KEYS_HEADER]: sealKeys(signingSecret, workerId, c.get("workerKeys")),
    ...(session !== undefined && { [SOCKET_SESSION_HEADER]: session }),
  };
}

/**
 * Opens a worker's socket.
 * @param workerId undefined for a worker of an early SDK, of which only the token is known
 */
export async function openWorkerSocket(c: Context<HttpEnv>, workerId: string | undefined): Promise<Response> {
  if (c.req.header("Upgrade")?.toLowerCase() !== "websocket") {
    throw new Problem(426, "upgrade_required", "This is a WebSocket endpoint.", { headers: { Upgrade: "websocket" } });
  }
  const webSocket = await openWorkersLine(c, "ws", workerId ?? null, undefined, signingHeaders(c, workerId));
  const offered = c.req.header("Sec-WebSocket-Protocol")?.includes(WORKER_SUBPROTOCOL) === true;
  const headers = offered ? { "Sec-WebSocket-Protocol": WORKER_SUBPROTOCOL } : {};
  return new Response(null, { status: 101, webSocket, headers });
}
