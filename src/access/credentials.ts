import { Buffer } from "node:buffer";

/** Subprotocol of the worker socket. Browsers and runtimes that cannot set headers on a socket offer it together with `token.<base64url>`. */
export const WORKER_SUBPROTOCOL = "batuta.v1";
const TOKEN_SUBPROTOCOL = "token.";

/** The token a client presents, in either of the two headers; undefined when there is none. */
export function readClientToken(headers: Headers): string | undefined {
  return headers.get("X-Avtomatika-Token") || headers.get("X-Client-Token") || undefined;
}

/** The token a worker presents: a header of its own, a bearer token, or on a socket a subprotocol; undefined when there is none. */
export function readWorkerToken(headers: Headers): string | undefined {
  return (
    headers.get("X-Worker-Token") ||
    /^bearer +(.+)$/i.exec(headers.get("Authorization") ?? "")?.[1] ||
    tokenOfSubprotocols(headers.get("Sec-WebSocket-Protocol")) ||
    undefined
  );
}

/** The id a worker of the later generation puts beside its token; undefined when there is none. */
export function readWorkerId(headers: Headers): string | undefined {
  return headers.get("X-Worker-ID") || undefined;
}

function tokenOfSubprotocols(list: string | null): string | undefined {
  const offered = list?.split(",").map((name) => name.trim()) ?? [];
  if (!offered.includes(WORKER_SUBPROTOCOL)) return undefined;
  const encoded = offered.find((name) => name.startsWith(TOKEN_SUBPROTOCOL))?.slice(TOKEN_SUBPROTOCOL.length);
  return encoded === undefined ? undefined : Buffer.from(encoded, "base64url").toString();
}
