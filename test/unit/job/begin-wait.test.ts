import type { Action } from "batuta";
import { describe, expect, test } from "vitest";
import { actions } from "../../../src/blueprint/actions.ts";
import { applyAction } from "../../../src/job/apply-action.ts";
import type { JobRecord } from "../../../src/job/record.ts";
import { flow, pausedJob, runningJob, surroundings, T0 } from "../../support/job-builders.ts";

const later = surroundings({ now: T0 + 5_000 });
const apply = (action: Action, over: Partial<JobRecord> = {}) =>
  applyAction(runningJob(over), flow, action, later).record;
const WEBHOOK = { webhookUrl: "https://client.test/hook" };

describe("awaitHumanApproval", () => {
  const transitions = { approved: "next", rejected: "sorry" };

  test("makes the job wait for people, with a question of its own name", () => {
    const job = apply(actions.awaitHumanApproval({ message: "Publish?", transitions }), {
      nextTask: 4,
      transitions: 7,
    });
    expect(job).toMatchObject({
      status: "waiting_for_human",
      nextTask: 5,
      transitions: 0,
      wakeAt: null,
      checkAt: null,
    });
    expect(job.wait).toEqual({
      kind: "human",
      id: "job-4",
      since: T0 + 5_000,
      message: "Publish?",
      integration: null,
      data: null,
      deciders: null,
      approvals: 1,
      decisions: [],
      until: null,
      transitions,
    });
    expect(job.unsent).toMatchObject([{ event_type: "approval_requested", status: "waiting_for_human" }]);
    expect(job.notices).toEqual([]);
  });

  test("may say who decides, how many of them, by when, and what is shown", () => {
    const asked = { deciders: ["ann", "bob"], approvals: 2, timeoutSeconds: 60, data: { pages: 3 } };
    const job = apply(actions.awaitHumanApproval({ message: "?", ...asked, stateHistory: { a: 1 }, transitions }));
    const { timeoutSeconds: _, ...kept } = asked;
    expect(job).toMatchObject({ stateHistory: { a: 1 }, wait: { ...kept, until: T0 + 65_000 } });
  });

  test.each([
    ["nobody", {}, {}, []],
    ["a channel, when one is named", { integration: "chat" }, {}, ["ask_people"]],
    ["the client's webhook, when it has one", {}, WEBHOOK, ["approval_needed"]],
    ["both", { integration: "chat" }, WEBHOOK, ["ask_people", "approval_needed"]],
  ])("tells %s", (_, asked, over, told) => {
    const { notices } = apply(actions.awaitHumanApproval({ message: "?", ...asked, transitions }), over);
    expect(notices.map((notice) => (notice.kind === "webhook" ? notice.event : notice.kind))).toEqual(told);
    for (const notice of notices) {
      if (notice.kind === "ask_people") expect(notice.waitId).toBe("job-1");
      else expect(notice).toMatchObject({ kind: "webhook", id: "job-1", at: T0 + 5_000 });
    }
  });

  test.each([
    ["no message", { message: "" }],
    ["more approvals than deciders", { message: "?", deciders: ["ann", "ann"], approvals: 2 }],
    ["nobody to decide", { message: "?", deciders: [] }],
    ["no time", { message: "?", timeoutSeconds: 0 }],
  ])("with %s fails its step", (_, asked) => {
    expect(() => apply(actions.awaitHumanApproval({ ...asked, transitions }))).toThrow(
      /^State 'work' asks for an approval in a way that is not valid: /,
    );
  });

  test("without a decision that anybody could make fails its step", () => {
    const hopeless = { timeout: "late", cancelled: "sorry" };
    expect(() => apply(actions.awaitHumanApproval({ message: "?", transitions: hopeless }))).toThrow(
      "State 'work' asks for an approval that nobody could give: its transitions have no decision, such as 'approved'.",
    );
  });
});

describe("waitFor", () => {
  const transitions = { received: "next" };

  test("makes the job wait for an event", () => {
    const job = apply(actions.waitFor({ event: "paid", timeoutSeconds: 60, transitions }));
    expect(job).toMatchObject({ status: "waiting_for_event", transitions: 0, notices: [] });
    expect(job.wait).toEqual({
      kind: "event",
      id: "job-1",
      since: T0 + 5_000,
      event: "paid",
      into: "paid",
      until: T0 + 65_000,
      transitions,
    });
    expect(job.unsent).toMatchObject([{ event_type: "event_awaited", context_snapshot: { event: "paid" } }]);
  });

  test("takes the first event of that name that came before, and keeps the others", () => {
    const mailbox = [
      { name: "sent", data: 1, at: T0 },
      { name: "paid", data: 2, at: T0 },
      { name: "paid", data: 3, at: T0 },
    ];
    const job = apply(actions.waitFor({ event: "paid", into: "payment", transitions }), { mailbox });
    expect(job).toMatchObject({ status: "running", state: "next", wait: null, stateHistory: { payment: 2 } });
    expect(job.mailbox.map((event) => event.data)).toEqual([1, 3]);
    expect(job.unsent.map((event) => event.event_type)).toEqual(["event_awaited", "state_finished"]);
  });

  test("drops an early event that does not fit the job, says so, and takes the next one", () => {
    const mailbox = [
      { name: "paid", data: "x".repeat(300_000), at: T0 },
      { name: "paid", data: 2, at: T0 },
    ];
    const only = apply(actions.waitFor({ event: "paid", transitions }), { mailbox: mailbox.slice(0, 1) });
    expect(only).toMatchObject({ status: "waiting_for_event", mailbox: [] });
    expect(only.unsent.at(-1)).toMatchObject({
      event_type: "event_received",
      error: expect.stringContaining("state_history would grow"),
    });
    const next = apply(actions.waitFor({ event: "paid", transitions }), { mailbox });
    expect(next).toMatchObject({ status: "running", mailbox: [], stateHistory: { paid: 2 } });
  });

  test("for what is no name fails its step", () => {
    expect(() => apply(actions.waitFor({ event: "a b", transitions }))).toThrow(
      /^State 'work' waits for an event in a way that is not valid: /,
    );
  });
});

describe("sleep", () => {
  const until = (sleep: Parameters<typeof actions.sleep>[0]) => apply(actions.sleep(sleep)).wait?.until;

  test("makes the job wait for a time, or for a moment in any notation", () => {
    const job = apply(actions.sleep({ seconds: 90, to: "next", stateHistory: { a: 1 } }));
    expect(job).toMatchObject({
      status: "waiting_for_event",
      stateHistory: { a: 1 },
      wait: { kind: "timer", id: "job-1", until: T0 + 95_000, transitions: { done: "next" } },
    });
    expect(job.unsent).toMatchObject([{ event_type: "timer_started" }]);
    const moment = new Date(T0 + 60_000);
    for (const each of [moment, moment.getTime(), moment.toISOString()]) {
      expect(until({ until: each, to: "next" })).toBe(T0 + 60_000);
    }
  });

  test("may be over already, and is then over at once", () => {
    expect(until({ seconds: 0, to: "next" })).toBe(T0 + 5_000);
    expect(until({ until: 0, to: "next" })).toBe(0);
  });

  test.each([
    ["neither a time nor a moment", {}],
    ["both", { seconds: 1, until: T0 }],
    ["a moment that is none", { until: "soon" }],
    ["less than no time", { seconds: -1 }],
  ])("with %s fails its step", (_, sleep) => {
    expect(() => until({ ...sleep, to: "next" })).toThrow(/^State 'work' sleeps in a way that is not valid: /);
  });
});

test("a wait that begins while the job is paused counts from when it is resumed", () => {
  const job = pausedJob(T0 + 1_000, runningJob());
  const wait = (action: Action) => applyAction(job, flow, action, later).record.wait?.until;
  expect(wait(actions.sleep({ seconds: 60, to: "next" }))).toBe(T0 + 61_000);
  expect(wait(actions.waitFor({ event: "e", timeoutSeconds: 60, transitions: { received: "next" } }))).toBe(
    T0 + 61_000,
  );
  const approval = { message: "?", timeoutSeconds: 60, transitions: { approved: "next" } };
  expect(wait(actions.awaitHumanApproval(approval))).toBe(T0 + 61_000);
});

test.each([
  ["an approval", actions.awaitHumanApproval({ message: "?", transitions: { approved: "nowhere" } })],
  ["an event", actions.waitFor({ event: "e", transitions: { received: "nowhere" } })],
  ["a sleep", actions.sleep({ seconds: 1, to: "nowhere" })],
])("%s that leads nowhere fails its step", (_, action) => {
  expect(() => apply(action)).toThrow(
    "Blueprint 'flow' has a dangling transition: state 'work' leads to non-existent state 'nowhere'.",
  );
});
