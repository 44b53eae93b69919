import { blueprint, type BlueprintMigration, type CompleteBlueprint } from "batuta";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fateOf, migrateJob } from "../../../src/job/migrate.ts";
import type { EventWait } from "../../../src/job/wait.ts";
import { fannedOutJob, freshJob, runningJob, singleTask, T0, waitingJob } from "../../support/job-builders.ts";

type State = "ask" | "sum" | "send" | "done";

/** Version 4 of `flow`, some of whose states have new names. */
function flow4(...migrations: readonly BlueprintMigration<State>[]): CompleteBlueprint {
  return blueprint({ name: "flow", version: 4, states: ["ask", "sum", "send", "done"], migrations })
    .start("ask", ({ actions }) => actions.transitionTo("send"))
    .aggregator("sum", ({ actions }) => actions.transitionTo("done"))
    .handler("send", ({ actions }) => actions.transitionTo("done"))
    .end("done");
}

const NOW = T0 + 5_000;
const RENAMED = { work: "ask", next: "send", join: "sum", late: "send", sorry: "done" } as const;
const bp = flow4({ from: 2, states: RENAMED });

describe("a live job of an earlier version", () => {
  test("is moved to the state that its own has become, and says so in its history", () => {
    const job = runningJob({ state: "work" });
    const migrated = migrateJob(job, bp, NOW);
    expect(migrated).toMatchObject({
      state: "ask",
      blueprintVersion: 4,
      status: "running",
      updatedAt: NOW,
      eventSeq: 11,
    });
    expect(migrated.unsent).toEqual([
      {
        seq: 11,
        at: NOW,
        state: "ask",
        status: "running",
        event_type: "job_migrated",
        previous_state: "work",
        next_state: "ask",
        context_snapshot: { from_version: 2, to_version: 4 },
      },
    ]);
  });

  test("finds everything that it waits for leading to the new states", () => {
    const task = singleTask({
      transitions: { success: "next", failure: "sorry", odd: "done" },
      eventTransitions: { begun: "late" },
    });
    expect(migrateJob(waitingJob(task), bp, NOW).task).toEqual({
      ...task,
      transitions: { success: "send", failure: "done", odd: "done" },
      eventTransitions: { begun: "send" },
    });
    const wait: EventWait = {
      kind: "event",
      id: "job-w1",
      since: T0,
      event: "go",
      into: "go",
      until: null,
      transitions: { received: "next", timeout: "late" },
    };
    const waiting = runningJob({ status: "waiting_for_event", wait });
    expect(migrateJob(waiting, bp, NOW).wait).toEqual({ ...wait, transitions: { received: "send", timeout: "send" } });
    expect(migrateJob(fannedOutJob(3), bp, NOW).fanOut).toMatchObject({ into: "sum", total: 3 });
  });

  test("keeps the name of a state that the migration does not list", () => {
    const next = flow4({ from: 2, states: { work: "ask" } });
    expect(migrateJob(runningJob({ state: "done" }), next, NOW)).toMatchObject({ state: "done", blueprintVersion: 4 });
    expect(migrateJob(runningJob({ state: "constructor" }), next, NOW)).toMatchObject({ blueprintVersion: 2 });
  });

  test("is moved by the migration from its own version, however many came between", () => {
    const next = flow4({ from: 2, states: RENAMED }, { from: 1, states: { work: "send" } }, { from: 3, states: {} });
    expect(migrateJob(runningJob({ state: "work", blueprintVersion: 1 }), next, NOW).state).toBe("send");
    expect(migrateJob(runningJob({ state: "work" }), next, NOW).state).toBe("ask");
    expect(migrateJob(runningJob({ state: "ask", blueprintVersion: 3 }), next, NOW)).toMatchObject({
      state: "ask",
      blueprintVersion: 4,
    });
  });

  test("stays as it is without a migration from its version", () => {
    for (const job of [runningJob(), runningJob({ blueprintVersion: 1 })]) {
      expect(migrateJob(job, flow4({ from: 3, states: RENAMED }), NOW)).toBe(job);
    }
  });

  test("stays as it is when the migration forgets its state, so that a corrected one can still move it", () => {
    const job = runningJob({ state: "work" });
    expect(migrateJob(job, flow4({ from: 2, states: { next: "send" } }), NOW)).toBe(job);
    expect(migrateJob(job, bp, NOW).state).toBe("ask");
  });

  test("stays as it is when its fan-out would end in a state that aggregates nothing", () => {
    const job = fannedOutJob(2, { state: "work" });
    for (const join of [{}, { join: "send" }] as const) {
      expect(migrateJob(job, flow4({ from: 2, states: { work: "ask", ...join } }), NOW)).toBe(job);
    }
  });
});

test("jobs of this version, of a later one, and those that have ended are left alone", () => {
  for (const blueprintVersion of [4, 5]) {
    const job = runningJob({ state: "work", blueprintVersion });
    expect(migrateJob(job, bp, NOW)).toBe(job);
  }
  for (const status of ["finished", "failed", "quarantined", "cancelled"] as const) {
    const job = freshJob(undefined, { status, state: "work" });
    expect(migrateJob(job, bp, NOW)).toBe(job);
  }
});

describe("the fate of a job", () => {
  test.each([
    [2, "work", { fate: "mapped", to: "ask" }],
    [2, "done", { fate: "goes_on" }],
    [3, "done", { fate: "goes_on" }],
    [3, "work", { fate: "stranded" }],
    [2, "constructor", { fate: "stranded" }],
    [4, "work", { fate: "stranded" }],
  ])("of version %i in state %s", (version, state, fate) => {
    expect(fateOf(bp, version, state)).toEqual(fate);
  });

  test("is to go on where a migration says that the state stays", () => {
    expect(fateOf(flow4({ from: 2, states: { done: "done" } }), 2, "done")).toEqual({ fate: "goes_on" });
  });

  test("is to be stranded without its blueprint", () => {
    expect(fateOf(null, 2, "done")).toEqual({ fate: "stranded" });
  });

  test("is what migrating it does", () => {
    const states = ["work", "next", "join", "late", "sorry", "done", "ask", "gone", "__proto__"];
    const mapping = fc.dictionary(fc.constantFrom(...states), fc.constantFrom<State>("ask", "send", "done"));
    const cases = fc.record({ version: fc.integer({ min: 1, max: 5 }), from: fc.integer({ min: 1, max: 3 }), mapping });
    fc.assert(
      fc.property(cases, fc.constantFrom(...states), ({ version, from, mapping }, state) => {
        const next = flow4({ from, states: mapping });
        const job = runningJob({ state, blueprintVersion: version });
        const migrated = migrateJob(job, next, NOW);
        const fate = fateOf(next, version, state);
        if (fate.fate === "mapped") expect(migrated).toMatchObject({ state: fate.to, blueprintVersion: 4 });
        else expect(migrated.state).toBe(state);
        expect(fate.fate === "stranded").toBe(!next.steps.has(migrated.state));
        expect(migrateJob(migrated, next, NOW)).toBe(migrated);
      }),
    );
  });
});
