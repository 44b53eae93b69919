import { inCloudflareWorkers } from "../node/builtins.ts";

/** The part of a WebSocket that a connection uses. */
export interface Socket {
  send(text: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: "open", listener: () => void): void;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
  addEventListener(type: "close", listener: (event: { code: number; reason: string }) => void): void;
  addEventListener(type: "error", listener: () => void): void;
}

export type OpenSocket = (url: string, token: string | undefined) => Socket;

/**
 * Name of the frame protocol, offered where the token has to travel as a second protocol name. A server that is offered
 * names must answer with one of them, or the WebSocket fails; this is the one to answer with.
 */
const SUBPROTOCOL = "batuta.v1";

/**
 * Opens the runtime's own WebSocket. Node takes headers as an extension of the standard constructor, so the token goes
 * where it goes in every request; elsewhere it is offered as the protocol `token.<base64url>`.
 */
export function openSocket(url: string, token: string | undefined): Socket {
  if (token === undefined) return new WebSocket(url);
  if (takesHeaders()) return new WebSocket(url, { headers: { "X-Worker-Token": token } });
  return new WebSocket(url, [SUBPROTOCOL, tokenProtocol(token)]);
}

/** The protocol name that carries a token; base64url without padding, because protocol names allow few characters. */
export function tokenProtocol(token: string): string {
  const base64 = btoa(token);
  return `token.${base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

// Deno presents itself as Node, but its WebSocket does not take headers in every version.
function takesHeaders(): boolean {
  if (inCloudflareWorkers() || "Deno" in globalThis) return false;
  return typeof process !== "undefined" && process.versions?.node !== undefined;
}
