import type { NotTaken } from "./shard-call.ts";

/** First pause before offers are brought again; each further one is twice as long. Seconds. */
const FIRST = { refused: 2, away: 2, overloaded: 30 } as const satisfies Record<NotTaken["kind"], number>;

/** Longest pause, seconds. Ten tries then take half an hour at most, which is less than a shard remembers what was let go. */
const LONGEST = 300;

/**
 * Pause before the offers of a message are brought to their shard again. Half of it is chance, so that messages that
 * failed together do not come back together.
 * @param attempts deliveries that failed, from 1
 * @param random uniform in [0, 1)
 * @returns whole seconds, 1 or more
 */
export function pauseSeconds(attempts: number, why: NotTaken["kind"], random: () => number = Math.random): number {
  const bound = Math.min(FIRST[why] * 2 ** Math.min(attempts - 1, 20), LONGEST);
  return Math.ceil((bound * (1 + random())) / 2);
}
