import type { Configuration } from "../../src/configuration.ts";

/** The longest pause between two tries of a worker to connect, and a little more. */
const COMING_BACK_MS = 35_000;

let isolateSince: number | null = null;

/**
 * Until when workers may still be on their way back from an outage, epoch ms; 0 where there was none. The embedded
 * server loses all sockets with its process, and the leases they carried, and while it was away no worker could give a
 * sign of life: what is not known then is not yet lost. On the platform sockets outlive their object, and close with a
 * word when a deployment ends them.
 */
export function expectedBackUntil({ environment, leaseMs }: Configuration, now: number): number {
  isolateSince ??= now;
  return environment === "embedded" ? isolateSince + Math.min(COMING_BACK_MS, leaseMs) : 0;
}
