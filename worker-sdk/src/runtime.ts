import { openSocket, type OpenSocket } from "./open-socket.ts";
import type { RandomSource } from "./backoff.ts";

/** What a worker takes from its surroundings; each part can be replaced, for tests above all. */
export interface Runtime {
  fetch(url: string, init: RequestInit): Promise<Response>;
  openSocket: OpenSocket;
  random: RandomSource;
  environment: Record<string, string | undefined>;
}

/** The surroundings of a Node process. */
export function systemRuntime(): Runtime {
  return { fetch: (url, init) => fetch(url, init), openSocket, random: Math.random, environment: process.env };
}
