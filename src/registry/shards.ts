/**
 * The shards of this deployment. One for now: a task and the workers that fit it must meet in the same shard.
 */
export const SHARDS = ["shard-0"] as const;

/** The shard whose books a worker is kept in. */
export function shardOfWorker(_workerId: string): string {
  return SHARDS[0];
}

/** The shard a job offers its tasks to. */
export function shardOfJob(_jobId: string): string {
  return SHARDS[0];
}
