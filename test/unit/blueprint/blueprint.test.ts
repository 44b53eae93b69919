import { blueprint, Blueprint, BlueprintError } from "batuta";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { actions } from "../../../src/blueprint/actions.ts";

/** A blueprint as JavaScript sees it. */
const untyped = () => begun() as unknown as Blueprint<string, unknown, object, string, false>;
const handler = () => actions.transitionTo("done");
const begun = () => blueprint({ name: "photos", states: ["work", "join", "bad", "done"] });

describe("a blueprint", () => {
  test("remembers what it was begun with, and has defaults for the rest", () => {
    expect(begun()).toMatchObject({
      name: "photos",
      version: 1,
      api: null,
      input: null,
      stateHistory: null,
      startState: null,
    });
    const input = z.object({ files: z.array(z.string()) });
    const stateHistory = z.object({ size: z.number() });
    const dataStores = { prices: new Map([["print", 5]]) };
    const retry = { maxAttempts: 2 };
    const timeout = { seconds: 60, to: "a" } as const;
    const migrations = [{ from: 1, states: { old: "a" } }] as const;
    expect(blueprint({ name: "x", version: 2, states: ["a"], dataStores, retry, timeout, migrations })).toMatchObject({
      dataStores,
      retry,
      timeout,
      migrations,
    });
    expect(begun()).toMatchObject({ dataStores: {}, retry: {}, timeout: null, migrations: [] });
    const full = blueprint({ name: "x", version: 3, api: { endpoint: "/jobs/x" }, input, stateHistory, states: ["a"] });
    expect(full).toMatchObject({ version: 3, api: { version: "", endpoint: "/jobs/x" }, states: ["a"] });
    expect([full.input, full.stateHistory]).toEqual([input, stateHistory]);
  });

  test("has one step for each state that was given a handler, of the kind it was given", () => {
    const done = () => "result";
    const bp = begun()
      .start("work", ({ actions }) => actions.dispatchParallel([], { aggregateInto: "join" }))
      .aggregator("join", ({ actions }) => actions.transitionTo("done"))
      .end("bad", { failure: true })
      .end("done", done);
    expect(bp.startState).toBe("work");
    expect([...bp.steps].map(([state, { kind }]) => [state, kind])).toEqual([
      ["work", "handler"],
      ["join", "aggregator"],
      ["bad", "end"],
      ["done", "end"],
    ]);
    expect(bp.steps.get("bad")).toEqual({ kind: "end", run: null, failure: true });
    expect(bp.steps.get("done")).toEqual({ kind: "end", run: done, failure: false });
  });

  test("ends with a result and as a failure when an end state says both", () => {
    const why = () => "why";
    expect(begun().end("bad", why, { failure: true }).steps.get("bad")).toEqual({
      kind: "end",
      run: why,
      failure: true,
    });
  });

  test("is never changed: each step makes another one", () => {
    const first = begun();
    const second = first.end("done");
    expect([first.steps.size, second.steps.size]).toEqual([0, 1]);
    expect(second).toBeInstanceOf(Blueprint);
  });
});

describe("what the compiler refuses is refused at start as well", () => {
  test("a second handler for a state", () => {
    expect(() => untyped().handler("work", handler).end("work")).toThrow(
      new BlueprintError("Blueprint 'photos': a handler for state 'work' is already registered."),
    );
  });

  test("a handler that is no function", () => {
    // @ts-expect-error JavaScript may hand over anything.
    expect(() => untyped().handler("work", "done")).toThrow(
      new BlueprintError("Blueprint 'photos': state 'work' needs a function as its handler."),
    );
  });

  test("a second start state", () => {
    const started = untyped().start("work", handler) as unknown as ReturnType<typeof untyped>;
    expect(() => started.start("join", handler)).toThrow(
      new BlueprintError("Blueprint 'photos' already has a start state: 'work'."),
    );
  });
});

describe("the actions", () => {
  test("are plain values, without anything that was not asked for", () => {
    expect(actions.transitionTo("a")).toEqual({ kind: "transition", to: "a" });
    expect(actions.transitionTo("a", { n: 1 })).toEqual({ kind: "transition", to: "a", stateHistory: { n: 1 } });
    expect(
      actions.dispatchTask({ type: "t", priority: 2, transitions: { success: "a" }, stateHistory: { n: 1 } }),
    ).toEqual({
      kind: "dispatch_task",
      task: { type: "t", priority: 2 },
      transitions: { success: "a" },
      eventTransitions: {},
      stateHistory: { n: 1 },
    });
    expect(actions.dispatchParallel([{ type: "t" }], { aggregateInto: "a" })).toEqual({
      kind: "dispatch_parallel",
      tasks: [{ type: "t" }],
      aggregateInto: "a",
    });
    expect(Object.keys(actions.dispatchTask({ type: "t", transitions: {} }))).toEqual([
      "kind",
      "task",
      "transitions",
      "eventTransitions",
    ]);
    const child = { blueprint: "b", initialData: { n: 1 } };
    expect(actions.runParallel([child], { aggregateInto: "a", failFast: true })).toEqual({
      kind: "run_parallel",
      children: [child],
      aggregateInto: "a",
      failFast: true,
    });
    expect(actions.runBlueprint({ ...child, transitions: { success: "a" } })).toEqual({
      kind: "run_blueprint",
      child,
      transitions: { success: "a" },
    });
    expect(actions.awaitHumanApproval({ message: "?", transitions: { approved: "a" } })).toEqual({
      kind: "await_approval",
      approval: { message: "?" },
      transitions: { approved: "a" },
    });
    expect(
      actions.waitFor({ event: "paid", into: "p", transitions: { received: "a" }, stateHistory: { n: 1 } }),
    ).toEqual({
      kind: "wait_for",
      wait: { event: "paid", into: "p" },
      transitions: { received: "a" },
      stateHistory: { n: 1 },
    });
    // oxlint-disable-next-line unicorn/no-thenable -- the name of a state
    expect(actions.sleep({ seconds: 5, to: "a" })).toMatchObject({ kind: "sleep", sleep: { seconds: 5 } });
  });
});
