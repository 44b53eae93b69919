/** A worker costs its shard about this long to take back: handshake, hello, and the tasks that follow. */
const MS_A_WORKER = 2;
const SHORTEST_MS = 500;
const LONGEST_MS = 30_000;

/**
 * How far the workers of a shard should spread when all have to connect again, as after a deploy: each waits a random
 * part of it.
 * @param workers of the shard
 * @returns ms
 */
export function reconnectSpreadMs(workers: number): number {
  return Math.min(LONGEST_MS, Math.max(SHORTEST_MS, workers * MS_A_WORKER));
}
