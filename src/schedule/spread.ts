import { nextOccurrence, type Timing } from "./occurrences.ts";

/** A number from 0 to 2^32 − 1 that looks like chance and is the same for the same text (FNV-1a, then the last mixing of MurmurHash3). */
function scatter(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** How the occurrences of a schedule are put off, so that not everything that is due at midnight starts at midnight. */
export interface Spread {
  readonly spreadMs: number;
  /** Tells schedules apart. */
  readonly seed: string;
}

/**
 * When an occurrence is due: up to `spreadMs` after its time, the same for the same occurrence whenever it is asked, and
 * before the next occurrence, so that they stay in order.
 */
export function dueTime(timing: Timing, { spreadMs, seed }: Spread, at: number): number {
  if (spreadMs === 0) return at;
  const following = nextOccurrence(timing, at);
  const room = following === null ? spreadMs : Math.min(spreadMs, following - at);
  return at + (scatter(`${seed}\n${at}`) % room);
}
