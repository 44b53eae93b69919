import { describe, expect, test } from "vitest";
import type { JobCommand } from "../../../src/job/command.ts";
import { applyCommand } from "../../../src/job/commands.ts";
import type { JobRecord } from "../../../src/job/record.ts";
import { MAX_DECISION_BYTES } from "../../../src/limits.ts";
import {
  askingJob,
  expectingJob,
  flow,
  openOf,
  pausedJob,
  surroundings,
  T0,
  waitingJob,
} from "../../support/job-builders.ts";

type Decide = Extract<JobCommand, { do: "decide" }>;

const later = surroundings({ now: T0 + 5_000 });

function say(job: JobRecord, by: string, decision: string, over: Partial<Decide> = {}) {
  const { answer, change } = applyCommand(job, flow, openOf(), by, { do: "decide", decision, ...over }, later);
  return { answer, job: change?.record ?? null };
}

const DECIDED_AT = "2023-11-14T22:13:25.000Z";

describe("a decision", () => {
  test.each([
    ["approved", "next"],
    ["rejected", "sorry"],
  ])("'%s' moves the job on, and is kept with who made it, when and why", (decision, state) => {
    const { answer, job } = say(askingJob(), "ann", decision, { comment: "fine", data: { page: 2 } });
    expect(answer).toEqual({ ok: true, status: "running", note: "decided" });
    expect(job).toMatchObject({ status: "running", state, wait: null });
    const said = { decision, decided_by: "ann", comment: "fine", data: { page: 2 } };
    expect(job?.stateHistory).toEqual({ approval: { ...said, decisions: [{ ...said, decided_at: DECIDED_AT }] } });
    expect(job?.unsent).toMatchObject([
      { event_type: "approval_decided", context_snapshot: { by: "ann", decision, comment: "fine" } },
      { event_type: "state_finished", next_state: state },
    ]);
  });

  test("may be any word that has a transition, and needs neither comment nor data", () => {
    const { job } = say(askingJob({ transitions: { escalate: "late" } }), "ann", "escalate");
    expect(job).toMatchObject({ state: "late", stateHistory: { approval: { comment: null, data: null } } });
  });

  test("is taken while the job is paused, and runs nothing yet", () => {
    const { answer, job } = say(pausedJob(T0, askingJob()), "ann", "approved");
    expect([answer.ok, job?.state, job?.pause?.by]).toEqual([true, "next", "ann"]);
  });

  test("by a link is good for its own question only", () => {
    expect(say(askingJob(), "ann", "approved", { waitId: "job-1" }).answer.ok).toBe(true);
    expect(say(askingJob(), "ann", "approved", { waitId: "job-0" })).toEqual({
      answer: {
        ok: false,
        code: "conflict",
        error: "This question has been decided, or is not asked any more.",
      },
      job: null,
    });
  });
});

describe("four eyes", () => {
  const asking = askingJob({ approvals: 2 });

  test("are two people's: the first approval is noted, the second moves the job on", () => {
    const first = say(asking, "ann", "approved");
    expect(first.answer).toEqual({ ok: true, status: "waiting_for_human", note: "recorded" });
    expect(first.job?.wait).toMatchObject({ id: "job-1", decisions: [{ by: "ann", decision: "approved" }] });
    const second = say(first.job ?? asking, "bob", "approved");
    expect(second.answer).toMatchObject({ ok: true, note: "decided" });
    expect(second.job).toMatchObject({
      state: "next",
      stateHistory: { approval: { decided_by: "bob", decisions: [{ decided_by: "ann" }, { decided_by: "bob" }] } },
    });
  });

  test("are not one person's, twice", () => {
    const { job } = say(asking, "ann", "approved");
    for (const decision of ["approved", "rejected"]) {
      expect(say(job ?? asking, "ann", decision)).toEqual({
        answer: { ok: false, code: "conflict", error: "'ann' has decided this already." },
        job: null,
      });
    }
  });

  test("see at once what one of them rejects", () => {
    const { job } = say(asking, "ann", "approved");
    expect(say(job ?? asking, "bob", "rejected").job?.state).toBe("sorry");
  });
});

describe("who may decide", () => {
  test("is anybody where the question says nothing, else only those it names", () => {
    expect(say(askingJob(), "anybody", "approved").answer.ok).toBe(true);
    const asking = askingJob({ deciders: ["ann", "bob"] });
    expect(say(asking, "bob", "approved").answer.ok).toBe(true);
    expect(say(asking, "cy", "approved")).toEqual({
      answer: { ok: false, code: "forbidden", error: "'cy' is not among those who may decide this." },
      job: null,
    });
  });
});

describe("what cannot be decided", () => {
  const engines = askingJob({ transitions: { approved: "next", timeout: "late", cancelled: "sorry" } });

  test.each(["timeout", "cancelled", "perhaps", "constructor", "__proto__", ""])("is '%s'", (decision) => {
    expect(say(engines, "ann", decision)).toEqual({
      answer: { ok: false, code: "bad_request", error: `Invalid decision '${decision}' for this job` },
      job: null,
    });
  });

  test.each([
    ["work", waitingJob()],
    ["an event", expectingJob()],
    ["nothing any more", askingJob({}, { status: "finished", wait: null })],
  ])("is anything for a job that waits for %s", (_, job) => {
    expect(say(job, "ann", "approved")).toEqual({
      answer: { ok: false, code: "conflict", error: "Job is not in a state that can be approved" },
      job: null,
    });
  });

  test("is what comes with more data than the job can hold", () => {
    const most = "x".repeat(MAX_DECISION_BYTES - 2);
    expect(say(askingJob(), "ann", "approved", { data: most }).answer.ok).toBe(true);
    expect(say(askingJob(), "ann", "approved", { data: `${most}x` })).toEqual({
      answer: {
        ok: false,
        code: "bad_request",
        error: `The decision's data is ${MAX_DECISION_BYTES + 1} bytes; ${MAX_DECISION_BYTES} are allowed.`,
      },
      job: null,
    });
    const full = askingJob({}, { stateHistory: { a: "x".repeat(262_000) } });
    expect(say(full, "ann", "approved")).toMatchObject({ answer: { ok: false, code: "bad_request" }, job: null });
  });
});
