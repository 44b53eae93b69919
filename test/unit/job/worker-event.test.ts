import { describe, expect, test } from "vitest";
import type { JobRecord } from "../../../src/job/record.ts";
import { StateHistoryError } from "../../../src/job/state-history.ts";
import { takeSingleResult } from "../../../src/job/take-result.ts";
import { NotHeldError, takeWorkerEvent, type WorkerEvent } from "../../../src/job/worker-event.ts";
import {
  cancellingJob,
  fannedOutJob,
  flow,
  pausedJob,
  resultOf,
  surroundings,
  T0,
  waitingJob,
} from "../../support/job-builders.ts";

const later = surroundings({ now: T0 + 5_000 });
const skipping = waitingJob({ eventTransitions: { enough: "late" } }, { stateHistory: { kept: 1 } });

function say(job: JobRecord, over: Partial<WorkerEvent> = {}): JobRecord | null {
  const said = { taskId: "job-1", workerId: "w", type: "enough", eventId: "e-1", payload: { pages: 3 } };
  const event = { ...said, holds: true, ...over };
  return takeWorkerEvent(job, flow, event, later)?.record ?? null;
}

describe("an event of the worker that has the job's task", () => {
  test("moves the job on when there is a transition for it, with its payload", () => {
    const job = say(skipping);
    expect(job).toMatchObject({
      status: "running",
      state: "late",
      task: null,
      stateHistory: { kept: 1, pages: 3 },
      eventIds: ["worker:e-1"],
    });
    expect(job?.unsent).toMatchObject([
      { event_type: "worker_event", worker_id: "w", task_id: "job-1", context_snapshot: { event: "enough" } },
      { event_type: "state_finished", next_state: "late" },
    ]);
  });

  test("leaves the task behind: what its worker reports later is stale", () => {
    const job = say(skipping);
    expect(takeSingleResult(job ?? skipping, flow, resultOf({}), later)).toMatchObject({
      ack: { status: "ignored", reason: "stale_task" },
      change: null,
    });
  });

  test.each(["halfway", "constructor"])("is only in history when there is none, such as '%s'", (type) => {
    const job = say(skipping, { type });
    expect(job).toMatchObject({ status: "waiting_for_worker", task: skipping.task, stateHistory: { kept: 1 } });
    expect(job?.unsent).toMatchObject([{ event_type: "worker_event", context_snapshot: { event: type } }]);
  });

  test("counts once, by its id", () => {
    const job = say(skipping, { type: "halfway" });
    expect(say(job ?? skipping, { type: "enough" })).toBeNull();
    expect(say(job ?? skipping, { type: "enough", eventId: "e-2" })?.state).toBe("late");
  });

  test("of a worker that does not have the task is refused, unless it was taken before", () => {
    expect(() => say(skipping, { holds: false })).toThrow(NotHeldError);
    const job = say(skipping);
    expect(say(job ?? skipping, { holds: false })).toBeNull();
  });

  test("without an id counts each time", () => {
    const job = say(skipping, { type: "halfway", eventId: null });
    expect(say(job ?? skipping, { type: "halfway", eventId: null })?.eventSeq).toBe(12);
  });

  test("moves a paused job on, which runs nothing yet", () => {
    expect(say(pausedJob(T0, skipping))).toMatchObject({ state: "late", pause: { by: "ann" } });
  });

  test("with a payload that is no object merges nothing", () => {
    expect(say(skipping, { payload: "text" })).toMatchObject({ state: "late", stateHistory: { kept: 1 } });
  });

  test("with a payload that does not fit the job is refused", () => {
    expect(() => say(skipping, { payload: { much: "x".repeat(300_000) } })).toThrow(StateHistoryError);
  });
});

describe("an event of another task of the job", () => {
  test("is only in history, whether it is a branch, one that rests, or one of the past", () => {
    for (const job of [
      fannedOutJob(2),
      waitingJob({ id: "job-2", eventTransitions: { enough: "late" } }, { nextTask: 3 }),
      waitingJob({ retryAt: T0 + 9_000, eventTransitions: { enough: "late" } }),
    ]) {
      expect(say(job)).toMatchObject({ status: job.status, state: "work", eventSeq: 11 });
    }
  });
});

describe("an event that changes nothing", () => {
  test.each([
    ["comes after the job has ended", waitingJob({}, { status: "finished", task: null }), "job-1"],
    ["comes while the job is being cancelled", cancellingJob(), "job-1"],
    ["names a task that is still to come", skipping, "job-2"],
    ["names a task of another job", skipping, "other-1"],
    ["names no task of any job", skipping, "job-0"],
    ["names a task in another spelling", skipping, "job-01"],
    ["names no task", skipping, ""],
  ])("is one that %s", (_, job, taskId) => {
    expect(say(job, { taskId })).toBeNull();
  });
});
