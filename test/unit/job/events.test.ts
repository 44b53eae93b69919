import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { attemptEnded, record, unsentEvents } from "../../../src/job/events.ts";
import { MAX_EVENT_ERROR_CHARS } from "../../../src/limits.ts";
import { branchOf, fannedOutJob, outcomeOf, runningJob, singleTask, T0 } from "../../support/job-builders.ts";

describe("an event", () => {
  test("is numbered after the last one, dated, and told with the state and status of the job", () => {
    const job = record(runningJob({ eventSeq: 7 }), { event_type: "state_started", attempt_number: 1 }, T0 + 9);
    expect(job).toMatchObject({ eventSeq: 8, updatedAt: T0 + 9 });
    expect(job.unsent).toEqual([
      { seq: 8, at: T0 + 9, state: "work", status: "running", event_type: "state_started", attempt_number: 1 },
    ]);
  });

  test("keeps the beginning of a long error", () => {
    const { unsent } = record(runningJob(), { event_type: "state_failed", error: "x".repeat(5_000) }, T0);
    expect(unsent[0]?.error).toHaveLength(MAX_EVENT_ERROR_CHARS);
  });
});

describe("the end of an attempt", () => {
  test("tells who did it, at which attempt, how long it took and why it failed", () => {
    const task = singleTask({ attempt: 2, dispatchedAt: T0 });
    expect(attemptEnded(task, "w", { code: "X", message: "m" }, T0 + 300)).toEqual({
      event_type: "task_finished",
      task_id: "job-1",
      attempt_number: 2,
      duration_ms: 300,
      worker_id: "w",
      error: "X: m",
    });
  });

  test("has neither worker nor error when there were none", () => {
    const event = attemptEnded(singleTask(), null, null, T0);
    expect(Object.keys(event)).toEqual(["event_type", "task_id", "attempt_number", "duration_ms"]);
  });
});

describe("the events that are not sent yet", () => {
  const events = fc.uniqueArray(fc.record({ seq: fc.integer({ min: 1, max: 60 }), inBranch: fc.boolean() }), {
    selector: (event) => event.seq,
  });

  test("are those of the record and of the branches after the last that was sent, in order", () => {
    fc.assert(
      fc.property(events, fc.integer({ min: 0, max: 60 }), (all, sentSeq) => {
        const own = all.filter((event) => !event.inBranch).toSorted((a, b) => a.seq - b.seq);
        const branches = all
          .filter((event) => event.inBranch)
          .map(({ seq }, index) => branchOf(index + 1, { outcome: outcomeOf({ eventSeq: seq }) }));
        const unsent = own.map(({ seq }) => ({ seq, at: T0, state: "work", event_type: "state_started" as const }));
        const job = fannedOutJob(branches.length, { unsent, sentSeq });
        const expected = all.map((event) => event.seq).filter((seq) => seq > sentSeq);
        expect(unsentEvents(job, branches).map((event) => event.seq)).toEqual(expected.toSorted((a, b) => a - b));
      }),
    );
  });

  test("of a branch say which task ended, how, and in which fan-out", () => {
    const outcome = outcomeOf({
      eventSeq: 12,
      endedAt: T0 + 40,
      status: "failure",
      error: { code: "X", message: "m" },
    });
    expect(unsentEvents(fannedOutJob(2), [branchOf(1), branchOf(2, { attempt: 3, outcome })])).toEqual([
      {
        seq: 12,
        at: T0 + 40,
        state: "work",
        event_type: "task_finished",
        task_id: "job-2",
        attempt_number: 3,
        duration_ms: 40,
        worker_id: "w",
        error: "X: m",
      },
    ]);
  });
});
