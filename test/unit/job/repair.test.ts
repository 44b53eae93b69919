import { blueprint } from "batuta";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { CompleteBlueprint } from "../../../src/blueprint/index.ts";
import type { JobCommand } from "../../../src/job/command.ts";
import { applyCommand } from "../../../src/job/commands.ts";
import type { JobRecord } from "../../../src/job/record.ts";
import type { OpenBranches } from "../../../src/job/work.ts";
import {
  askingJob,
  branchOf,
  fannedOutJob,
  flow,
  freshJob,
  nestingJob,
  openOf,
  pausedJob,
  runningJob,
  surroundings,
  T0,
  waitingJob,
} from "../../support/job-builders.ts";

const later = surroundings({ now: T0 + 5_000 });
const ENDED = ["finished", "failed", "quarantined", "cancelled"] as const;

function ask(
  job: JobRecord,
  asked: JobCommand,
  { open = openOf(), bp = flow }: { readonly open?: OpenBranches; readonly bp?: CompleteBlueprint | null } = {},
) {
  const { answer, change } = applyCommand(job, bp, open, "ann", asked, later);
  return { answer, change, job: change?.record ?? null };
}

function refusal(code: string, error: string) {
  return { answer: { ok: false, code, error }, change: null };
}

describe("a move", () => {
  const move = { do: "move", state: "late", reason: "stuck" } as const;

  test.each([
    ["is still to start", freshJob(flow, { wakeAt: T0 + 60_000 })],
    ["runs a step", runningJob()],
    ["waits for a worker", waitingJob()],
    ["waits for people", askingJob()],
    ["waits for its retry", runningJob({ status: "awaiting_retry", handlerFailures: 2, wakeAt: T0 + 9_000 })],
  ])("takes a job that %s to the state, to be run at once", (_, before) => {
    const { answer, job } = ask(before, { ...move, stateHistory: { a: 1 } });
    expect(answer).toEqual({ ok: true, status: "running" });
    expect(job).toMatchObject({
      status: "running",
      state: "late",
      task: null,
      wait: null,
      handlerFailures: 0,
      stateHistory: { a: 1 },
    });
    expect(job?.unsent.slice(-2)).toMatchObject([
      { event_type: "job_moved", state: "work", next_state: "late", context_snapshot: { by: "ann", reason: "stuck" } },
      { event_type: "state_finished", next_state: "late" },
    ]);
  });

  test("calls back what is under way", () => {
    const open = openOf(
      branchOf(1),
      branchOf(2, { child: "kid" }),
      branchOf(3, { retryAt: T0 + 9 }),
      branchOf(4, { queued: true }),
    );
    const { change, job } = ask(fannedOutJob(4), move, { open });
    expect(change?.releases.map((task) => task.id)).toEqual(["job-1"]);
    expect(job).toMatchObject({ fanOut: null, notices: [{ kind: "cancel_child", jobId: "job-2" }] });
    expect(ask(nestingJob(), move).job?.notices).toEqual([{ kind: "cancel_child", jobId: "job-1" }]);
  });

  test("starts the loop guard's count anew", () => {
    expect(ask(runningJob({ transitions: 100 }), move).job).toMatchObject({ status: "running", transitions: 1 });
  });

  test("of a paused job runs nothing until it is resumed", () => {
    expect(ask(pausedJob(T0, waitingJob()), move).job).toMatchObject({ state: "late", pause: { by: "ann" } });
  });

  test("brings a job of an older version to this one: the state was named as it is now", () => {
    expect(ask(waitingJob({}, { blueprintVersion: 1 }), move).job?.blueprintVersion).toBe(2);
  });

  test("goes to no state that does not exist, nor to one that aggregates", () => {
    expect(ask(waitingJob(), { ...move, state: "nowhere" })).toMatchObject(
      refusal(
        "bad_request",
        "Blueprint 'flow' has no state 'nowhere'. Its states: work, next, join, late, sorry, done.",
      ),
    );
    expect(ask(waitingJob(), { ...move, state: "join" })).toMatchObject(
      refusal("bad_request", "State 'join' aggregates a fan-out; name the state that begins the fan-out instead."),
    );
  });

  test.each(ENDED)("is refused for a job that is %s", (status) => {
    expect(ask(runningJob({ status }), move)).toMatchObject(
      refusal("conflict", `The job is ${status}; an ended job is retried, not moved.`),
    );
  });

  test("is refused with data that does not fit", () => {
    const much = { ...move, stateHistory: { a: "x".repeat(300_000) } };
    expect(ask(waitingJob(), much)).toMatchObject({ answer: { ok: false, code: "bad_request" }, change: null });
  });
});

describe("a patch", () => {
  const patch = { do: "patch", stateHistory: { a: 2 }, reason: "wrong" } as const;

  test("merges into state_history and leaves all else as it is", () => {
    const before = waitingJob({}, { stateHistory: { a: 1, b: 1 } });
    const { answer, job, change } = ask(before, patch);
    expect(answer).toEqual({ ok: true, status: "waiting_for_worker" });
    const { unsent, ...after } = job ?? before;
    expect(after).toEqual({
      ...before,
      unsent: undefined,
      stateHistory: { a: 2, b: 1 },
      eventSeq: 11,
      updatedAt: T0 + 5_000,
    });
    expect(unsent).toMatchObject([
      { event_type: "job_patched", context_snapshot: { by: "ann", reason: "wrong", keys: ["a"] } },
    ]);
    expect([change?.offers, change?.releases]).toEqual([[], []]);
  });

  test.each(ENDED)("is refused for a job that is %s", (status) => {
    expect(ask(runningJob({ status }), patch)).toMatchObject(
      refusal("conflict", `The job is ${status}; give the data with its retry.`),
    );
  });

  test("is refused with data that the blueprint does not declare", () => {
    const bp = blueprint({
      name: "flow",
      version: 2,
      stateHistory: z.object({ a: z.string() }),
      states: ["work", "done"],
    })
      .start("work", ({ actions }) => actions.transitionTo("done"))
      .end("done");
    expect(ask(waitingJob(), patch, { bp }).answer).toMatchObject({
      ok: false,
      code: "bad_request",
      error: expect.stringContaining("does not fit the stateHistory that blueprint 'flow' declares"),
    });
  });
});

describe("a discard", () => {
  test("ends a quarantined job as cancelled, with the error it had", () => {
    const { answer, job } = ask(runningJob({ status: "quarantined", error: "broken" }), {
      do: "discard",
      reason: "old",
    });
    expect(answer).toEqual({ ok: true, status: "cancelled" });
    expect(job).toMatchObject({ status: "cancelled", error: "broken", finishedAt: T0 + 5_000 });
    expect(job?.unsent).toMatchObject([
      { event_type: "job_discarded", context_snapshot: { by: "ann", reason: "old" } },
      { event_type: "job_cancelled" },
    ]);
  });

  test("is for no other job", () => {
    for (const status of ["failed", "finished", "cancelled", "waiting_for_worker"] as const) {
      expect(ask(runningJob({ status }), { do: "discard" })).toMatchObject(
        refusal("conflict", `The job is ${status}; only a quarantined job is discarded.`),
      );
    }
  });
});

describe("a job whose blueprint is gone", () => {
  test("can still be cancelled and discarded", () => {
    expect(ask(askingJob(), { do: "cancel" }, { bp: null }).job?.status).toBe("cancelled");
    expect(ask(runningJob({ status: "quarantined" }), { do: "discard" }, { bp: null }).job?.status).toBe("cancelled");
  });

  test.each<JobCommand>([
    { do: "pause", reason: "r" },
    { do: "resume", reason: "r" },
    { do: "move", state: "next", reason: "r" },
    { do: "patch", stateHistory: {}, reason: "r" },
    { do: "retry" },
    { do: "event", name: "e", data: null },
    { do: "decide", decision: "approved" },
  ])("can do nothing else, such as $do", (asked) => {
    expect(ask(askingJob(), asked, { bp: null })).toMatchObject(
      refusal("conflict", "Blueprint 'flow' is not deployed any more; the job can only be cancelled or discarded."),
    );
  });
});
