import type { Task } from "./record.ts";

/** Longest pause between two looks at a task that waits. */
const LONGEST_PAUSE_MS = 60_000;

/**
 * When to look at tasks that wait: once they have waited long enough in their shard, and then each time after as long as
 * they have waited already, so that the looks grow rarer without anything to be remembered.
 * @param afterMs how long is long enough
 * @returns epoch ms; Infinity when none waits
 */
export function nextSpillLook(tasks: Iterable<Pick<Task, "dispatchedAt">>, now: number, afterMs: number): number {
  let next = Infinity;
  for (const { dispatchedAt } of tasks) {
    const waited = now - dispatchedAt;
    const pause = waited < afterMs ? afterMs - waited : Math.min(waited, LONGEST_PAUSE_MS);
    next = Math.min(next, now + pause);
  }
  return next;
}
