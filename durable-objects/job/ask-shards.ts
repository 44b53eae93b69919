import type { Task } from "../../src/job/record.ts";
import { OFFERS_PER_CALL } from "../../src/limits.ts";
import { mapLimit, PARALLEL_CALLS } from "../shared/map-limit.ts";

/** Cuts a list into pieces of at most `size`. */
export function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}

/**
 * Asks the shards that some tasks were offered to about them, in as few calls as their number allows.
 * @returns for each task its shard's answer; null while that shard is away
 * @throws what the first shard failed with, when all are away
 */
export async function askShards<Asked extends Pick<Task, "id" | "attempt" | "shard">, Answer>(
  tasks: readonly Asked[],
  call: (shard: string, some: readonly Asked[]) => Promise<Answer[]>,
): Promise<(Answer | null)[]> {
  const answers = new Map<string, Answer>();
  const failures: unknown[] = [];
  const shards = [...Map.groupBy(tasks, (task) => task.shard)];
  await mapLimit(shards, PARALLEL_CALLS, async ([shard, those]) => {
    try {
      for (const some of chunks(those, OFFERS_PER_CALL)) {
        // oxlint-disable-next-line no-await-in-loop -- one shard answers them, one call after the other
        for (const [i, answer] of (await call(shard, some)).entries()) answers.set(some[i]?.id ?? "", answer);
      }
    } catch (error) {
      failures.push(error);
    }
  });
  if (failures.length > 0 && failures.length === shards.length) throw failures[0];
  return tasks.map((task) => answers.get(task.id) ?? null);
}
