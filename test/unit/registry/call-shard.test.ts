import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Env } from "../../../src/env.ts";
import { SHARD_ANSWER_MS } from "../../../src/limits.ts";
import { callShardInTime } from "../../../src/registry/call-shard.ts";

// Stubs are not looked into here: what is called is the test's own.
const env = { REGISTRY: { getByName: () => ({}) } } as unknown as Env;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("a shard that hangs is given up, by name", async () => {
  const answer = callShardInTime(env, "weur-0", () => new Promise<string>(() => {}));
  const refused = expect(answer).rejects.toThrow("weur-0 did not answer within 5 s.");
  await vi.advanceTimersByTimeAsync(SHARD_ANSWER_MS);
  await refused;
});

test.each([
  ["answers", () => Promise.resolve("here"), "here"],
  ["fails", () => Promise.reject(new Error("It is away.")), "It is away."],
])("one that %s in time is heard, and no timer is left", async (_, call, told) => {
  await expect(callShardInTime(env, "weur-0", call).catch((error: Error) => error.message)).resolves.toBe(told);
  expect(vi.getTimerCount()).toBe(0);
});
