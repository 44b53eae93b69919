import type { Action } from "batuta";
import { describe, expect, test } from "vitest";
import { actions } from "../../../src/blueprint/actions.ts";
import { applyAction } from "../../../src/job/apply-action.ts";
import type { JobRecord } from "../../../src/job/record.ts";
import { MAX_CHILD_DEPTH, MAX_INLINE_BYTES } from "../../../src/limits.ts";
import { flow, pausedJob, runningJob, surroundings, T0 } from "../../support/job-builders.ts";

const later = surroundings({ now: T0 + 5_000 });
const apply = (action: Action, over: Partial<JobRecord> = {}) => applyAction(runningJob(over), flow, action, later);
const transitions = { success: "next" };

describe("runBlueprint", () => {
  test("makes the job wait for a child whose id is the task's", () => {
    const child = actions.runBlueprint({ blueprint: "report", initialData: { page: 1 }, transitions });
    const { record, offers } = apply(child, { nextTask: 4, transitions: 7 });
    expect(record).toMatchObject({
      status: "waiting_for_sub_job",
      state: "work",
      nextTask: 5,
      transitions: 0,
      wakeAt: null,
      checkAt: T0 + 65_000,
    });
    expect(record.task).toEqual({
      id: "job-4",
      child: "report",
      shard: "shard-0",
      request: { type: "blueprint:report", params: { page: 1 } },
      transitions,
      eventTransitions: {},
      into: "sub_job_job-4_result",
      attempt: 1,
      lease: expect.any(String),
      failures: 0,
      losses: 0,
      dispatchedAt: T0 + 5_000,
      retryAt: null,
      dispatchBy: null,
      resultBy: null,
    });
    expect(offers).toEqual([record.task]);
    expect(record.unsent).toMatchObject([
      { event_type: "sub_blueprint_started", task_id: "job-4", next_state: "report" },
    ]);
  });

  test("needs no input, and may say how long, where to, and what to merge", () => {
    const child = { blueprint: "report", timeoutSeconds: 60, into: "report", stateHistory: { a: 1 }, transitions };
    expect(apply(actions.runBlueprint(child)).record).toMatchObject({
      stateHistory: { a: 1 },
      task: { request: { params: {}, resultTimeoutSeconds: 60 }, into: "report", resultBy: T0 + 65_000 },
    });
  });

  test("takes no limits from what the client set for tasks", () => {
    const defaultTimeouts = { dispatchSeconds: 5, resultSeconds: 5 };
    const { record } = apply(actions.runBlueprint({ blueprint: "report", transitions }), { defaultTimeouts });
    expect(record.task).toMatchObject({ dispatchBy: null, resultBy: null });
  });

  test("waits with the child while the job is paused", () => {
    const action = actions.runBlueprint({ blueprint: "report", transitions });
    const { record, offers } = applyAction(pausedJob(T0 + 1_000, runningJob()), flow, action, later);
    expect([record.task?.retryAt, offers]).toEqual([T0 + 1_000, []]);
  });
});

describe("runParallel", () => {
  test("makes a branch of each child, under the same rules as tasks", () => {
    const children = [{ blueprint: "a", initialData: { n: 1 }, timeoutSeconds: 9 }, { blueprint: "b" }];
    const { record, branches, offers } = apply(
      actions.runParallel(children, { aggregateInto: "join", maxConcurrent: 1, failFast: true }),
    );
    expect(record).toMatchObject({
      status: "waiting_for_parallel_tasks",
      task: null,
      fanOut: { into: "join", first: 1, total: 2, failFast: true, maxConcurrent: 1 },
    });
    expect(branches.map(({ id, child, request, resultBy, queued }) => [id, child, request, resultBy, queued])).toEqual([
      ["job-1", "a", { type: "blueprint:a", params: { n: 1 }, resultTimeoutSeconds: 9 }, T0 + 14_000, false],
      ["job-2", "b", { type: "blueprint:b", params: {} }, null, true],
    ]);
    expect(offers).toEqual(branches.slice(0, 1));
  });
});

describe("children of children", () => {
  const nest = actions.runBlueprint({ blueprint: "report", transitions });

  test(`may be nested ${MAX_CHILD_DEPTH} deep, and no deeper`, () => {
    expect(apply(nest, { depth: MAX_CHILD_DEPTH - 1 }).record.status).toBe("waiting_for_sub_job");
    expect(() => apply(nest, { depth: MAX_CHILD_DEPTH })).toThrow(
      "State 'work' runs a child job, but this job is 10 levels deep already; 10 are allowed. Does a blueprint run itself?",
    );
    const several = actions.runParallel([{ blueprint: "report" }], { aggregateInto: "join" });
    expect(() => apply(several, { depth: MAX_CHILD_DEPTH })).toThrow("10 levels deep");
    expect(apply(actions.runParallel([], { aggregateInto: "join" }), { depth: MAX_CHILD_DEPTH }).record.state).toBe(
      "join",
    );
  });
});

describe("a child that cannot be", () => {
  test.each<[string, Record<string, unknown>]>([
    ["no blueprint", { blueprint: "" }],
    ["input that is a list", { blueprint: "a", initialData: [] }],
    ["no time at all", { blueprint: "a", timeoutSeconds: 0 }],
  ])("for it has %s names the state", (_, child) => {
    const action = { kind: "run_blueprint", child, transitions: {} } as unknown as Action;
    expect(() => apply(action)).toThrow(/^State 'work' runs a child job that is not valid: /);
  });

  test("for its input is too large says how large", () => {
    const run = (length: number) =>
      apply(actions.runBlueprint({ blueprint: "a", initialData: { a: "x".repeat(length) }, transitions }));
    expect(run(MAX_INLINE_BYTES - 8).record.status).toBe("waiting_for_sub_job");
    expect(() => run(MAX_INLINE_BYTES - 7)).toThrow(
      "Child 'a' of state 'work' has initialData of 262145 bytes; 262144 are allowed. Pass a reference instead of the content.",
    );
  });

  test("for nothing follows its end says which state is missing", () => {
    expect(() => apply(actions.runBlueprint({ blueprint: "a", transitions: { failure: "nowhere" } }))).toThrow(
      "Blueprint 'flow' has a dangling transition: state 'work' leads to non-existent state 'nowhere'.",
    );
  });
});
