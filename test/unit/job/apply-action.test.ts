import type { Action, TaskRequest } from "batuta";
import { describe, expect, test } from "vitest";
import { actions } from "../../../src/blueprint/actions.ts";
import { applyAction } from "../../../src/job/apply-action.ts";
import { moveTo } from "../../../src/job/move.ts";
import { StepError } from "../../../src/job/step-error.ts";
import { MAX_BRANCHES, MAX_INLINE_BYTES } from "../../../src/limits.ts";
import { flow, runningJob, surroundings, T0 } from "../../support/job-builders.ts";

const later = surroundings({ now: T0 + 5_000 });
const apply = (action: Action, over = {}) => applyAction(runningJob(over), flow, action, later);

describe("transitionTo", () => {
  test("moves the job to the state, to be run at once, and merges what is given with it", () => {
    const { record, offers, branches } = apply(actions.transitionTo("next", { b: 2 }), {
      stateHistory: { a: 1 },
      error: "old",
    });
    expect(record).toMatchObject({
      status: "running",
      state: "next",
      stateSince: T0 + 5_000,
      stateHistory: { a: 1, b: 2 },
      error: null,
      wakeAt: T0 + 5_000,
      transitions: 1,
      handlerFailures: 0,
    });
    expect([offers, branches]).toEqual([[], []]);
    expect(record.unsent).toMatchObject([
      {
        seq: 11,
        event_type: "state_finished",
        state: "work",
        previous_state: "work",
        next_state: "next",
        duration_ms: 5_000,
      },
    ]);
  });

  test("forgets the fan-out and the progress of the state it leaves", () => {
    const fanOut = { from: "next", into: "work", first: 1, total: 0, failFast: false, maxConcurrent: null };
    const over = { fanOut, progress: 0.5, progressMessage: "half" };
    expect(apply(actions.transitionTo("next"), over).record).toMatchObject({
      fanOut: null,
      progress: null,
      progressMessage: null,
    });
  });

  test("ends a job that goes round without ever waiting", () => {
    expect(moveTo(runningJob({ transitions: 99 }), "next", later).status).toBe("running");
    expect(moveTo(runningJob({ transitions: 100 }), "next", later)).toMatchObject({
      status: "failed",
      error: "Blueprint execution exceeded maximum transitions (100). Suspected infinite loop detected.",
      wakeAt: null,
    });
  });
});

describe("dispatchTask", () => {
  test("makes the job wait for the first attempt of a task of its own", () => {
    const task = { type: "resize", params: { width: 1 }, priority: 3, transitions: { success: "next" } };
    const { record, offers } = apply(actions.dispatchTask(task), { nextTask: 4, transitions: 7 });
    expect(record).toMatchObject({
      status: "waiting_for_worker",
      state: "work",
      nextTask: 5,
      transitions: 0,
      wakeAt: null,
      checkAt: T0 + 65_000,
    });
    expect(record.task).toEqual({
      id: "job-4",
      request: { type: "resize", params: { width: 1 }, priority: 3 },
      child: null,
      shard: "shard-0",
      transitions: { success: "next" },
      eventTransitions: {},
      into: null,
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
    expect(record.unsent).toMatchObject([{ event_type: "task_dispatched", task_id: "job-4", attempt_number: 1 }]);
  });

  test("merges what is given with it", () => {
    const action = actions.dispatchTask({ type: "x", transitions: {}, stateHistory: { a: 1 } });
    expect(apply(action).record.stateHistory).toEqual({ a: 1 });
    expect(apply(action).record.task?.request).toEqual({ type: "x" });
  });
});

describe("dispatchParallel", () => {
  const tasks = (count: number): TaskRequest[] =>
    Array.from({ length: count }, (_, n) => ({ type: "x", params: { n } }));
  const fanOut = (count: number) => actions.dispatchParallel(tasks(count), { aggregateInto: "join" });

  test("makes the job wait for one branch a task, in submission order", () => {
    const { record, branches, offers, writeRecord } = apply(fanOut(3), { nextTask: 4 });
    expect(record).toMatchObject({
      status: "waiting_for_parallel_tasks",
      state: "work",
      task: null,
      fanOut: { into: "join", first: 4, total: 3 },
      nextTask: 7,
      checkAt: T0 + 65_000,
    });
    expect(branches.map(({ id, number, request, outcome }) => [id, number, request.params, outcome])).toEqual([
      ["job-4", 4, { n: 0 }, null],
      ["job-5", 5, { n: 1 }, null],
      ["job-6", 6, { n: 2 }, null],
    ]);
    expect(new Set(branches.map((branch) => branch.lease)).size).toBe(3);
    expect([offers, writeRecord]).toEqual([branches, true]);
    expect(record.unsent).toMatchObject([{ event_type: "parallel_dispatched", next_state: "join" }]);
  });

  test("of nothing aggregates at once", () => {
    const { record, branches, offers } = apply(fanOut(0));
    expect(record).toMatchObject({
      status: "running",
      state: "join",
      fanOut: { into: "join", total: 0 },
      wakeAt: T0 + 5_000,
    });
    expect([branches, offers]).toEqual([[], []]);
  });

  test(`of ${MAX_BRANCHES} tasks is possible, of one more it is not`, () => {
    expect(apply(fanOut(MAX_BRANCHES)).branches).toHaveLength(MAX_BRANCHES);
    expect(() => apply(fanOut(MAX_BRANCHES + 1))).toThrow(
      "State 'work' asks for 10001 parallel tasks; 10000 are allowed. Give each task a group of the work instead.",
    );
  });
});

describe("an action that cannot be done", () => {
  test.each([
    [
      "goes to a state that does not exist",
      actions.transitionTo("nowhere"),
      "Blueprint 'flow' has a dangling transition: state 'work' leads to non-existent state 'nowhere'.",
    ],
    [
      "would go to a state that does not exist",
      actions.dispatchTask({ type: "x", transitions: { success: "next", odd: "nowhere" } }),
      "Blueprint 'flow' has a dangling transition: state 'work' leads to non-existent state 'nowhere'.",
    ],
    [
      "goes to an aggregator without a fan-out",
      actions.transitionTo("join"),
      "Blueprint 'flow': state 'work' leads to 'join', an aggregator; only dispatchParallel and runParallel lead there.",
    ],
    [
      "aggregates into a state that does not aggregate",
      actions.dispatchParallel([], { aggregateInto: "next" }),
      "Blueprint 'flow': state 'work' aggregates into 'next', which has no aggregator. Register it with .aggregator.",
    ],
  ])("because it %s says so", (_, action, text) => {
    expect(() => apply(action)).toThrow(new StepError(text));
  });

  test.each<[string, Record<string, unknown>]>([
    ["no type", { type: "" }],
    ["a strategy that does not exist", { type: "x", dispatchStrategy: "constructor" }],
    ["a time limit of nothing", { type: "x", timeoutSeconds: 0 }],
    ["a negative cost", { type: "x", maxCost: -1 }],
    ["requirements that are a list", { type: "x", resourceRequirements: [] }],
  ])("because a task has %s names the state", (_, request) => {
    const action: Action = {
      kind: "dispatch_task",
      task: request as unknown as TaskRequest,
      transitions: {},
      eventTransitions: {},
    };
    expect(() => apply(action)).toThrow(/^State 'work' dispatches a task that is not valid: /);
  });

  test("because a task's params are too large says how large", () => {
    const params = "x".repeat(MAX_INLINE_BYTES - 2);
    const dispatch = (value: string) => apply(actions.dispatchTask({ type: "x", params: value, transitions: {} }));
    expect(dispatch(params).record.status).toBe("waiting_for_worker");
    expect(() => dispatch(`${params}x`)).toThrow(
      "Task 'x' of state 'work' has params of 262145 bytes; 262144 are allowed. Pass a reference instead of the content.",
    );
  });
});
