import { expect } from "vitest";
import type { HistoryRow } from "./api-client.ts";

/** The ends of attempts that were taken as a success, by task. */
export function successes(history: readonly HistoryRow[]): Map<string, HistoryRow[]> {
  const taken = history.filter((event) => event.event_type === "task_finished" && event.error === null);
  return Map.groupBy(taken, (event) => event.task_id ?? "");
}

/** The tasks whose worker was lost, with the attempt that was lost. */
export function losses(history: readonly HistoryRow[]): { task: string; attempt: number }[] {
  return history
    .filter((event) => event.event_type === "task_lost")
    .map((event) => ({ task: event.task_id ?? "", attempt: event.attempt_number ?? 0 }));
}

/**
 * Every event of a job is in its history once, and of each task exactly one result was taken.
 * @param tasks how many tasks the job had
 */
export function expectCountedOnce(history: readonly HistoryRow[], tasks: number): void {
  expect(history.map((event) => event.seq)).toEqual(history.map((_, at) => at + 1));
  const taken = successes(history);
  expect(taken.size).toBe(tasks);
  expect([...taken.values()].filter((ends) => ends.length !== 1)).toEqual([]);
}
