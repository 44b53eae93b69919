import { Miniflare } from "miniflare";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startCron } from "../../../cli/src/server/cron.ts";

beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 0, 1, 12, 3) });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A Miniflare whose worker notes when it was called. */
function fakeMiniflare(scheduled: () => Promise<unknown>): Miniflare {
  return Object.assign(Object.create(Miniflare.prototype), { getWorker: async () => ({ scheduled }) });
}

test("the Worker is called at every full ten minutes until the end", async () => {
  const called: string[] = [];
  const cron = startCron(
    fakeMiniflare(async () => called.push(new Date().toISOString().slice(11, 16))),
    "batuta",
    () => {},
  );
  await vi.advanceTimersByTimeAsync(20 * 60_000);
  cron.stop();
  await vi.advanceTimersByTimeAsync(20 * 60_000);
  expect(called).toEqual(["12:10", "12:20"]);
});

test("a run that fails is reported and does not end the rest", async () => {
  const failures: unknown[] = [];
  const cron = startCron(
    fakeMiniflare(() => Promise.reject(new Error("away"))),
    "batuta",
    (error) => failures.push(error),
  );
  await vi.advanceTimersByTimeAsync(20 * 60_000);
  cron.stop();
  expect(failures).toHaveLength(2);
});
