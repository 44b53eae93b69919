import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NO_POLICY, parsePolicy, partOf, type DispatchPolicy } from "../../../src/dispatch/policy.ts";
import { Throttles } from "../../../src/dispatch/throttles.ts";
import { T0 } from "../../support/job-builders.ts";

function policy(toml: string): DispatchPolicy {
  const parsed = parsePolicy(toml);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

class Books {
  readonly paces_ = new Map<string, number>();
  readonly held = new Map<string, number>();
  readonly count = (scope: string, name: string) => this.held.get(`${scope}:${name}`) ?? 0;
  readonly paces = () => this.paces_;
  readonly keepPace = (key: string, at: number) => void this.paces_.set(key, at);
}

const WHOLE = { index: 0, of: 1 };
const task = { type: "resize", client: "alice" };

describe("a limit of concurrency", () => {
  test("blocks at its number, for its own type or client only", () => {
    const books = new Books();
    const throttles = new Throttles(
      policy("[task_types.resize]\nmax_concurrent = 2\n[clients.bob]\nmax_concurrent = 1"),
      WHOLE,
      books.count,
      books,
    );
    books.held.set("task_type:resize", 1);
    expect(throttles.block(task, T0)).toBeNull();
    books.held.set("task_type:resize", 2);
    expect(throttles.block(task, T0)).toEqual({
      scope: "task_type",
      name: "resize",
      kind: "concurrency",
      limit: 2,
      part: 2,
      until: null,
    });
    expect(throttles.block({ ...task, type: "crop" }, T0)).toBeNull();
    books.held.set("client:bob", 1);
    expect(throttles.block({ type: "crop", client: "bob" }, T0)).toMatchObject({ scope: "client", name: "bob" });
    expect([throttles.limits(task), throttles.limits({ type: "crop", client: "carol" })]).toEqual([true, false]);
  });
});

describe("a limit of a rate", () => {
  const slow = policy("[task_types.resize]\nrate_limit = 3\nrate_period_seconds = 30");

  test("lets a burst of the limit pass, and then one at a time; says when", () => {
    const books = new Books();
    const throttles = new Throttles(slow, WHOLE, books.count, books);
    for (let n = 0; n < 3; n += 1) {
      expect(throttles.block(task, T0)).toBeNull();
      throttles.passed(task, T0);
    }
    expect(throttles.block(task, T0)).toMatchObject({ kind: "rate", limit: 3, until: T0 + 10_000 });
    expect(throttles.block(task, T0 + 9_999)).not.toBeNull();
    expect(throttles.block(task, T0 + 10_000)).toBeNull();
  });

  test("is kept over an eviction", () => {
    const books = new Books();
    const before = new Throttles(slow, WHOLE, books.count, books);
    for (let n = 0; n < 3; n += 1) before.passed(task, T0);
    const after = new Throttles(slow, WHOLE, books.count, books);
    expect(after.block(task, T0)?.until).toBe(T0 + 10_000);
  });

  test("passes at most its limit at once and its pace after that, whenever it is asked", () => {
    const asks = fc.array(fc.nat({ max: 20_000 }), { maxLength: 60 });
    fc.assert(
      fc.property(asks, fc.integer({ min: 1, max: 7 }), fc.constantFrom(1_000, 30_000), (pauses, limit, periodMs) => {
        const books = new Books();
        const rate = { limit, periodMs };
        const limits = { maxConcurrent: null, rate, ramp: null };
        const throttles = new Throttles(
          { ...NO_POLICY, taskTypes: new Map([["resize", limits]]) },
          WHOLE,
          books.count,
          books,
        );
        const passed: number[] = [];
        let now = T0;
        for (const pause of pauses) {
          now += pause;
          if (throttles.block(task, now) !== null) continue;
          throttles.passed(task, now);
          passed.push(now);
        }
        for (const [n, from] of passed.entries()) {
          for (const [m, to] of passed.entries()) {
            if (m < n) continue;
            // A millisecond is forgiven for rounding.
            expect(m - n + 1).toBeLessThanOrEqual(limit + Math.floor(((to - from + 1) * limit) / periodMs));
          }
        }
      }),
    );
  });

  test("of nothing lets nothing pass", () => {
    const books = new Books();
    const throttles = new Throttles(policy("[clients.alice]\nrate_limit = 0"), WHOLE, books.count, books);
    expect(throttles.block(task, T0)).toMatchObject({ kind: "rate", limit: 0, part: 0, until: null });
  });
});

test("the parts of a limit over all shards add up to it, and differ by one at most", () => {
  const name = fc.string({ maxLength: 10 });
  fc.assert(
    fc.property(fc.nat({ max: 1_000 }), name, fc.integer({ min: 1, max: 40 }), (limit, of, shards) => {
      const parts = Array.from({ length: shards }, (_, index) => partOf(limit, of, { index, of: shards }));
      expect(parts.reduce((sum, part) => sum + part, 0)).toBe(limit);
      expect(Math.max(...parts) - Math.min(...parts)).toBeLessThanOrEqual(1);
    }),
  );
});

describe("dispatch.toml", () => {
  test("may be empty", () => {
    expect(policy("")).toEqual(NO_POLICY);
  });

  test("says who may have how much", () => {
    expect(
      policy(`
        [defaults]
        aging_seconds = 30
        [task_types.resize]
        max_concurrent = 5
        ramp_version = "2.0"
        ramp_percent = 25
        [clients.alice]
        weight = 2.5
        rate_limit = 100
      `),
    ).toEqual({
      agingMs: 30_000,
      taskTypes: new Map([["resize", { maxConcurrent: 5, rate: null, ramp: { version: "2.0", percent: 25 } }]]),
      clients: new Map([["alice", { weight: 2.5, maxConcurrent: null, rate: { limit: 100, periodMs: 60_000 } }]]),
    });
  });

  test.each([
    ["[task_types.resize]\nmax = 1", 'task_types.resize: Unrecognized key: "max"'],
    ["[task_types.resize]\nmax_concurrent = 1.5", "task_types.resize.max_concurrent: must be a whole number"],
    ["[task_types.resize]\nramp_percent = 10", "a ramp needs both"],
    ["[clients.bob]\nweight = 0", "clients.bob.weight: must be more than 0"],
    ["[task_type.resize]\nmax_concurrent = 1", 'the file: Unrecognized key: "task_type"'],
    ["[task_types.resize\n", "dispatch.toml, line 1"],
  ])("says what is wrong with %j", (text, problem) => {
    const parsed = parsePolicy(text);
    expect(parsed.ok ? "" : parsed.error).toContain(problem);
  });
});
