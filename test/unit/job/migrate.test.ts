import { blueprint, type CompleteBlueprint } from "batuta";
import { describe, expect, test } from "vitest";
import { applyCommand } from "../../../src/job/commands.ts";
import { fateOf, migrateJob } from "../../../src/job/migrate.ts";
import type { JobRecord } from "../../../src/job/record.ts";
import {
  askingJob,
  expectingJob,
  fannedOutJob,
  openOf,
  pausedJob,
  runningJob,
  surroundings,
  T0,
  waitingJob,
} from "../../support/job-builders.ts";

/** Version 3 of the builders' blueprint: `next` is `after`, `join` is `merge`, `late` and `sorry` are one. */
const v3: CompleteBlueprint = blueprint({
  name: "flow",
  version: 3,
  states: ["work", "after", "merge", "sorry", "done"],
  migrations: [{ from: 2, states: { next: "after", join: "merge", late: "sorry" } }],
})
  .start("work", ({ actions }) => actions.transitionTo("after"))
  .handler("after", ({ actions }) => actions.transitionTo("done"))
  .aggregator("merge", ({ actions }) => actions.transitionTo("done"))
  .end("sorry", { failure: true })
  .end("done");

function migrate(job: JobRecord): JobRecord {
  return migrateJob(job, v3, T0 + 5_000);
}

describe("a job of an earlier version", () => {
  test("is brought to this one by the mapping of its states, which is in history", () => {
    const job = migrate(runningJob({ state: "next", status: "awaiting_retry", handlerFailures: 2 }));
    expect(job).toMatchObject({ state: "after", blueprintVersion: 3, status: "awaiting_retry", handlerFailures: 2 });
    expect(job.unsent).toMatchObject([
      {
        event_type: "job_migrated",
        previous_state: "next",
        next_state: "after",
        context_snapshot: { from_version: 2, to_version: 3 },
      },
    ]);
  });

  test.each<[string, JobRecord, (job: JobRecord) => unknown, unknown]>([
    [
      "its task",
      waitingJob({ transitions: { success: "next", failure: "sorry" }, eventTransitions: { skip: "late" } }),
      ({ task }) => [task?.transitions, task?.eventTransitions],
      [{ success: "after", failure: "sorry" }, { skip: "sorry" }],
    ],
    [
      "people",
      askingJob({ transitions: { approved: "next", timeout: "late" } }),
      ({ wait }) => wait?.transitions,
      { approved: "after", timeout: "sorry" },
    ],
    [
      "an event",
      expectingJob({ transitions: { received: "next" } }),
      ({ wait }) => wait?.transitions,
      { received: "after" },
    ],
    ["its branches", fannedOutJob(2), ({ fanOut }) => [fanOut?.into, fanOut?.first, fanOut?.total], ["merge", 1, 2]],
  ])("that waits for %s goes on waiting, and then where those states are now", (_, before, targets, now) => {
    const job = migrate(before);
    expect(job).toMatchObject({ state: "work", status: before.status, blueprintVersion: 3 });
    expect(targets(job)).toEqual(now);
  });

  test("that is paused stays so", () => {
    expect(migrate(pausedJob(T0, runningJob({ state: "late" })))).toMatchObject({
      state: "sorry",
      pause: { by: "ann" },
    });
  });

  test("with an aggregator still to run keeps its branches", () => {
    const fanOut = { from: "work", into: "join", first: 1, total: 2, failFast: false, maxConcurrent: null };
    expect(migrate(runningJob({ state: "join", fanOut }))).toMatchObject({ state: "merge", fanOut: { into: "merge" } });
  });

  test("may have states with the names of what every object has", () => {
    const job = waitingJob({ transitions: { success: "constructor" } });
    expect(migrate(job).task?.transitions).toEqual({ success: "constructor" });
  });
});

describe("a job stays as it is", () => {
  test.each([
    ["it is of this version", runningJob({ blueprintVersion: 3, state: "next" })],
    ["it is of a later version", runningJob({ blueprintVersion: 4, state: "next" })],
    ["nothing maps its version", runningJob({ blueprintVersion: 1, state: "next" })],
    ["it has ended", runningJob({ status: "quarantined", state: "next" })],
    ["the mapping forgets its state", runningJob({ state: "gone" })],
    ["what it fans in to aggregates nothing", { ...fannedOutJob(2), fanOut: fanInTo("next") }],
  ])("when %s", (_, job) => {
    expect(migrate(job)).toBe(job);
  });
});

function fanInTo(into: string): JobRecord["fanOut"] {
  return { from: "work", into, first: 1, total: 2, failFast: false, maxConcurrent: null };
}

describe("an ended job of an earlier version", () => {
  const retry = (job: JobRecord, state?: string) =>
    applyCommand(job, v3, openOf(), "ann", { do: "retry", state }, surroundings()).change?.record;

  test("is retried where its state is now", () => {
    const failed = runningJob({ status: "failed", state: "next", wakeAt: null });
    expect(retry(failed)).toMatchObject({ status: "running", state: "after", blueprintVersion: 3 });
    expect(retry(failed, "work")).toMatchObject({ state: "work", blueprintVersion: 3 });
  });

  test.each([undefined, "merge"])("keeps the branches of its aggregator, when told to go on from %s", (state) => {
    const broken = runningJob({ status: "quarantined", state: "join", fanOut: fanInTo("join") });
    expect(retry(broken, state)).toMatchObject({ state: "merge", fanOut: { into: "merge", first: 1, total: 2 } });
  });
});

describe("what a new version makes of the jobs there are", () => {
  test.each([
    ["work", 2, { fate: "goes_on" }],
    ["next", 2, { fate: "mapped", to: "after" }],
    ["gone", 2, { fate: "stranded" }],
    ["constructor", 2, { fate: "stranded" }],
    ["work", 1, { fate: "goes_on" }],
    ["next", 1, { fate: "stranded" }],
    ["after", 3, { fate: "goes_on" }],
  ])("of one in '%s' of version %i is %j", (state, version, fate) => {
    expect(fateOf(v3, version, state)).toEqual(fate);
  });

  test("is nothing when the blueprint is gone", () => {
    expect(fateOf(null, 2, "work")).toEqual({ fate: "stranded" });
  });

  test("is stranded where a mapping leads to no state", () => {
    const lost = { states: ["work"], migrations: [{ from: 1, states: { work: "gone" } }] };
    expect(fateOf(lost, 1, "work")).toEqual({ fate: "stranded" });
  });
});
