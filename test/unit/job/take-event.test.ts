import { blueprint } from "batuta";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { JobCommand } from "../../../src/job/command.ts";
import { applyCommand } from "../../../src/job/commands.ts";
import type { BufferedEvent, JobRecord } from "../../../src/job/record.ts";
import {
  MAX_BUFFERED_EVENTS,
  MAX_EVENT_BYTES,
  MAX_INLINE_BYTES,
  MAX_REMEMBERED_EVENT_IDS,
} from "../../../src/limits.ts";
import {
  askingJob,
  expectingJob,
  flow,
  freshJob,
  openOf,
  pausedJob,
  runningJob,
  surroundings,
  T0,
  waitingJob,
} from "../../support/job-builders.ts";

const later = surroundings({ now: T0 + 5_000 });

function send(job: JobRecord, over: Partial<Extract<JobCommand, { do: "event" }>> = {}) {
  const event = { do: "event", name: "paid", data: { sum: 3 }, ...over } as const;
  const { answer, change } = applyCommand(job, flow, openOf(), "alice", event, later);
  return { answer, job: change?.record ?? null };
}

function kept(count: number, data: unknown = null): BufferedEvent[] {
  return Array.from({ length: count }, () => ({ name: "paid", data, at: T0 }));
}

describe("an event that the job waits for", () => {
  test("moves it on with its data", () => {
    const { answer, job } = send(expectingJob({ into: "payment" }), { id: "e-1" });
    expect(answer).toEqual({ ok: true, status: "running", note: "received" });
    expect(job).toMatchObject({
      status: "running",
      state: "next",
      wait: null,
      stateHistory: { payment: { sum: 3 } },
      eventIds: ["e-1"],
      mailbox: [],
    });
    expect(job?.unsent).toMatchObject([
      { event_type: "event_received", context_snapshot: { event: "paid", id: "e-1" } },
      { event_type: "state_finished", next_state: "next" },
    ]);
  });

  test("may come without data and without an id", () => {
    const { job } = send(expectingJob(), { data: undefined });
    expect(job).toMatchObject({ state: "next", stateHistory: { paid: null }, eventIds: [] });
  });

  test("is taken while the job is paused, and runs nothing yet", () => {
    expect(send(pausedJob(T0, expectingJob())).job).toMatchObject({ state: "next", pause: { by: "ann" } });
  });

  test("is refused when its data does not fit the job, and may then come again", () => {
    const full = expectingJob({}, { stateHistory: { a: "x".repeat(262_140) } });
    expect(send(full, { id: "e-1" })).toMatchObject({
      answer: { ok: false, code: "bad_request", error: expect.stringContaining("state_history would grow to") },
      job: null,
    });
  });
});

test("an event of the wrong type is refused, says what is wrong, and may then come again", () => {
  const bp = blueprint({ name: "flow", stateHistory: z.object({ paid: z.number() }), states: ["work", "next"] })
    .start("work", ({ actions }) => actions.transitionTo("next"))
    .end("next");
  const event = (data: unknown) => ({ do: "event", name: "paid", id: "e-1", data }) as const;
  expect(applyCommand(expectingJob(), bp, openOf(), "alice", event("much"), later)).toEqual({
    answer: {
      ok: false,
      code: "bad_request",
      error: expect.stringMatching(/^Data of state 'work' does not fit the stateHistory .*expected number/s),
    },
    change: null,
  });
  expect(applyCommand(expectingJob(), bp, openOf(), "alice", event(3), later).answer).toMatchObject({
    note: "received",
  });
});

describe("an event that nobody waits for yet", () => {
  test.each([
    ["another event", expectingJob({ event: "sent" })],
    ["people", askingJob()],
    ["a worker", waitingJob()],
    ["its turn", runningJob()],
    ["its start", freshJob()],
  ])("is kept by a job that waits for %s", (_, before) => {
    const { answer, job } = send(before);
    expect(answer).toEqual({ ok: true, status: before.status, note: "buffered" });
    expect(job).toMatchObject({ status: before.status, state: before.state });
    expect(job?.mailbox).toEqual([{ name: "paid", data: { sum: 3 }, at: T0 + 5_000 }]);
  });

  test(`is kept with ${MAX_BUFFERED_EVENTS - 1} others, and not with more`, () => {
    expect(send(waitingJob({}, { mailbox: kept(MAX_BUFFERED_EVENTS - 1) })).answer.ok).toBe(true);
    expect(send(waitingJob({}, { mailbox: kept(MAX_BUFFERED_EVENTS) }))).toEqual({
      answer: {
        ok: false,
        code: "conflict",
        error:
          "The job keeps 100 events already that it has not waited for yet, as many as it may; send this one later.",
      },
      job: null,
    });
  });

  test("is kept only as long as all that is kept fits the job", () => {
    const mailbox = kept(4, "x".repeat(MAX_INLINE_BYTES / 4));
    expect(send(waitingJob({}, { mailbox })).answer).toMatchObject({ ok: false, code: "conflict" });
  });
});

describe("an event that came before", () => {
  const before = waitingJob({}, { eventIds: ["e-1"] });

  test("is answered well and changes nothing", () => {
    expect(send(before, { id: "e-1" })).toEqual({
      answer: { ok: true, status: "waiting_for_worker", note: "duplicate" },
      job: null,
    });
  });

  test("is answered well even when the job has ended since", () => {
    expect(send({ ...before, status: "finished", task: null }, { id: "e-1" })).toEqual({
      answer: { ok: true, status: "finished", note: "duplicate" },
      job: null,
    });
  });

  test("is told by its id alone", () => {
    expect(send(before).answer).toMatchObject({ note: "buffered" });
    expect(send(before, { id: "e-2" }).job?.eventIds).toEqual(["e-1", "e-2"]);
  });

  test(`is remembered for the last ${MAX_REMEMBERED_EVENT_IDS}`, () => {
    const eventIds = Array.from({ length: MAX_REMEMBERED_EVENT_IDS }, (_, n) => `e-${n}`);
    const { job } = send(waitingJob({}, { eventIds }), { id: "new" });
    expect(job?.eventIds).toEqual([...eventIds.slice(1), "new"]);
  });
});

describe("an event that is refused", () => {
  test("is one with more data than an event may have", () => {
    const most = "x".repeat(MAX_EVENT_BYTES - 2);
    expect(send(expectingJob(), { data: most }).answer.ok).toBe(true);
    expect(send(expectingJob(), { data: `${most}x`, id: "e-1" })).toEqual({
      answer: {
        ok: false,
        code: "bad_request",
        error: "The event's data is 65537 bytes; 65536 are allowed. Send a reference instead.",
      },
      job: null,
    });
  });

  test.each(["finished", "failed", "quarantined", "cancelled"] as const)("is one for a job that is %s", (status) => {
    expect(send(expectingJob({}, { status, wait: null }), { id: "e-1" })).toEqual({
      answer: { ok: false, code: "conflict", error: `The job is ${status}; it takes no events any more.` },
      job: null,
    });
  });
});
