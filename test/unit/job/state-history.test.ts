import { blueprint, type CompleteBlueprint } from "batuta";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { jsonBytes, mergeStateHistory, StateHistoryError } from "../../../src/job/state-history.ts";
import { MAX_STATE_HISTORY_BYTES } from "../../../src/limits.ts";
import { flow, runningJob } from "../../support/job-builders.ts";

function declaring(stateHistory: z.ZodObject): CompleteBlueprint {
  return blueprint({ name: "declared", stateHistory, states: ["work", "done"] })
    .start("work", ({ actions }) => actions.transitionTo("done"))
    .end("done");
}

function textOf(attempt: () => unknown): string {
  try {
    attempt();
  } catch (error) {
    if (error instanceof StateHistoryError) return error.message;
    throw error;
  }
  throw new Error("Nothing was thrown.");
}

describe("data merged into state_history", () => {
  test("adds keys and replaces those of the same name, and no others", () => {
    const key = fc.stringMatching(/^[a-z]{1,3}$/);
    const data = fc.dictionary(key, fc.jsonValue());
    fc.assert(
      fc.property(data, data, (stateHistory, patch) => {
        const merged = mergeStateHistory(runningJob({ stateHistory }), flow, patch);
        expect(merged).toEqual({ ...stateHistory, ...patch });
      }),
    );
  });

  test("leaves the job's own history as it was", () => {
    const stateHistory = Object.freeze({ a: 1 });
    expect(mergeStateHistory(runningJob({ stateHistory }), flow, { a: 2 })).toEqual({ a: 2 });
    expect(stateHistory).toEqual({ a: 1 });
  });

  test.each([["text"], [3], [true], [null], [undefined], [[{ a: 1 }]], [{}]])("is nothing when it is %j", (data) => {
    const job = runningJob({ stateHistory: { kept: 1 } });
    expect(mergeStateHistory(job, flow, data)).toBe(job.stateHistory);
  });

  test("replaces nested objects whole", () => {
    const job = runningJob({ stateHistory: { a: { x: 1, y: 2 } } });
    expect(mergeStateHistory(job, flow, { a: { x: 3 } })).toEqual({ a: { x: 3 } });
  });
});

describe("the limit of state_history", () => {
  const frame = jsonBytes({ a: "" });

  test("counts the bytes of all of it as JSON in UTF-8, and lets it be full to the last one", () => {
    const job = runningJob({ stateHistory: { b: "ü" } });
    const room = MAX_STATE_HISTORY_BYTES - frame - jsonBytes({ b: "ü" }) + 1;
    expect(jsonBytes(mergeStateHistory(job, flow, { a: "x".repeat(room) }))).toBe(MAX_STATE_HISTORY_BYTES);
    expect(() => mergeStateHistory(job, flow, { a: "x".repeat(room + 1) })).toThrow(StateHistoryError);
  });

  test("does not count what is replaced", () => {
    const job = runningJob({ stateHistory: { a: "x".repeat(MAX_STATE_HISTORY_BYTES - frame) } });
    expect(mergeStateHistory(job, flow, { a: "short" })).toEqual({ a: "short" });
  });

  test("says how large it would be, where, and what to do", () => {
    const text = textOf(() => mergeStateHistory(runningJob(), flow, { a: "x".repeat(MAX_STATE_HISTORY_BYTES) }));
    expect(text).toBe(
      "state_history would grow to 262152 bytes in state 'work'; 262144 are allowed. Keep references to large data, not the data.",
    );
  });
});

describe("a declared stateHistory", () => {
  const declared = declaring(z.object({ pictures: z.array(z.string()), count: z.number() }));

  test("checks each key as it arrives, and not those that are still to come", () => {
    expect(mergeStateHistory(runningJob(), declared, { count: 3 })).toEqual({ count: 3 });
  });

  test("lets keys through that it does not name", () => {
    expect(mergeStateHistory(runningJob(), declared, { task_error: { type: "x" } })).toEqual({
      task_error: { type: "x" },
    });
  });

  test("names blueprint, state and field of what does not fit", () => {
    const text = textOf(() => mergeStateHistory(runningJob(), declared, { pictures: ["a", 3] }));
    expect(text).toMatch(/^Data of state 'work' does not fit the stateHistory that blueprint 'declared' declares: /);
    expect(text).toContain("expected string, received number");
    expect(text).toContain("pictures[1]");
  });

  test("takes over what its schemas make of the data", () => {
    const bp = declaring(z.object({ name: z.string().trim() }));
    expect(mergeStateHistory(runningJob(), bp, { name: " a " })).toEqual({ name: "a" });
  });

  test("does not set a key with a default back to it when other keys are merged", () => {
    const bp = declaring(z.object({ round: z.number().default(1), safe: z.number().catch(0), name: z.string() }));
    const job = runningJob({ stateHistory: { round: 5, safe: 7 } });
    expect(mergeStateHistory(job, bp, { name: "a" })).toEqual({ round: 5, safe: 7, name: "a" });
  });

  test("may have a rule over several keys, which no single merge can break", () => {
    const bp = declaring(z.object({ low: z.number(), high: z.number() }).refine(({ low, high }) => low <= high));
    expect(mergeStateHistory(runningJob(), bp, { low: 3 })).toEqual({ low: 3 });
  });
});

describe("the size of a value", () => {
  test.each([
    [undefined, 4],
    [null, 4],
    ["ü", 4],
    ["😀", 6],
    [{ a: [1, 2] }, 11],
  ])("%j is %i bytes as JSON", (value, bytes) => {
    expect(jsonBytes(value)).toBe(bytes);
  });
});
