import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { JobCommand } from "../../src/job/command.ts";
import { ALICE, call, createJob, expectJob, viewJob } from "../support/workerd-api.ts";
import { deliver, jobAlarm, WAYS } from "../support/workerd-clock.ts";

const command = (id: string, by: string, asked: JobCommand) => env.JOBS.getByName(id).command("alice", by, asked);
const approve = (id: string, by: string, decision = "approved") =>
  command(id, by, { do: "decide", decision, comment: `says ${by}`, data: { by } });
const historyOf = async (id: string) => {
  const rows = z.array(z.object({ event_type: z.string(), context_snapshot: z.unknown() }));
  return rows.parse((await call("GET", `/api/v1/jobs/${id}/history`, { headers: ALICE })).body);
};

describe.each(WAYS)("human approval, %s:", (_, between) => {
  test("the decision is in state_history, with who said what", async () => {
    const id = await createJob("approval", {});
    expect(await viewJob(id)).toMatchObject({
      status: "waiting_for_human",
      waiting_for: { kind: "human", message: "Publish?", decisions: ["approved", "rejected"], approvals: 1 },
    });
    await between();
    expect(await approve(id, "ann")).toMatchObject({ ok: true, note: "decided" });
    await expectJob(id, {
      status: "finished",
      current_state: "yes",
      result: { decision: "approved", decided_by: "ann", comment: "says ann", data: { by: "ann" } },
    });
    expect(await approve(id, "bob")).toMatchObject({ ok: false, code: "conflict" });
  });

  test("four eyes: two different people must approve, one can reject", async () => {
    const id = await createJob("approval", { approvals: 2, deciders: ["ann", "bob", "cy"] });
    expect(await approve(id, "ann")).toMatchObject({ ok: true, note: "recorded", status: "waiting_for_human" });
    await between();
    expect(await approve(id, "ann")).toMatchObject({ ok: false, code: "conflict" });
    expect(await approve(id, "mallory")).toMatchObject({ ok: false, code: "forbidden" });
    expect(await viewJob(id)).toMatchObject({ waiting_for: { decided: [{ decided_by: "ann" }] } });
    await between();
    expect(await approve(id, "cy")).toMatchObject({ ok: true, note: "decided" });
    await expectJob(id, { status: "finished", current_state: "yes" });

    const refused = await createJob("approval", { approvals: 2 });
    await approve(refused, "ann");
    await approve(refused, "bob", "rejected");
    await expectJob(refused, { status: "failed", current_state: "no" });
  });

  test("nobody may say the engine's own words, or a word without a state", async () => {
    const id = await createJob("approval", {});
    await between();
    for (const word of ["timeout", "cancelled", "constructor", "perhaps"]) {
      expect(await approve(id, "ann", word)).toMatchObject({
        ok: false,
        code: "bad_request",
        error: `Invalid decision '${word}' for this job`,
      });
    }
  });

  test("a deadline, and what follows when it has passed", async () => {
    const id = await createJob("approval", { seconds: 3_600 });
    await between();
    await jobAlarm(id, 3_500_000);
    expect(await viewJob(id)).toMatchObject({ status: "waiting_for_human" });
    expect(await jobAlarm(id, 101_000)).toBe(true);
    await expectJob(id, {
      status: "failed",
      current_state: "late",
      error_message: "Human approval timed out: nobody decided within 3600 s. (Publish?)",
    });
  });

  test("a cancel runs the clean-up state", async () => {
    const id = await createJob("approval", {});
    await between();
    await call("POST", `/api/v1/jobs/${id}/cancel`, { headers: ALICE });
    await expectJob(id, { status: "cancelled", current_state: "stopped" });
  });

  test("is in the history with its decider", async () => {
    const id = await createJob("approval", {});
    await between();
    await approve(id, "ann");
    await expect
      .poll(async () => {
        await deliver("history");
        return (await historyOf(id)).filter((row) => row.event_type.startsWith("approval"));
      })
      .toEqual([
        { event_type: "approval_requested", context_snapshot: null },
        { event_type: "approval_decided", context_snapshot: { by: "ann", decision: "approved", comment: "says ann" } },
      ]);
  });
});

describe.each(WAYS)("an event that a job waits for, %s,", (_, between) => {
  const send = (id: string, eventId?: string) =>
    command(id, "client:alice", { do: "event", name: "paid", id: eventId, data: { sum: 12 } });

  test("moves it on with the event's data", async () => {
    const id = await createJob("patience", { first: "listen", seconds: 600 });
    expect(await viewJob(id)).toMatchObject({
      status: "waiting_for_event",
      waiting_for: { kind: "event", event: "paid" },
    });
    await between();
    expect(await send(id)).toMatchObject({ ok: true, note: "received" });
    await expectJob(id, { status: "finished", result: { paid: { sum: 12 } } });
    expect(await send(id)).toMatchObject({ ok: false, code: "conflict" });
  });

  test("may come before the job waits for it, and counts once however often it comes", async () => {
    const id = await createJob("signals", { type: crypto.randomUUID() });
    const early = (data: unknown) => command(id, "client:alice", { do: "event", name: "go", id: "e-1", data });
    expect(await early({ n: 1 })).toMatchObject({ ok: true, note: "buffered" });
    await between();
    expect(await early({ n: 2 })).toMatchObject({ ok: true, note: "duplicate" });
    const task = String((await viewJob(id))["current_task_id"]);
    await env.JOBS.getByName(id).taskResult({ taskId: task, workerId: "w", outcome: { status: "success" } });
    await expectJob(id, { status: "finished", result: { n: 1 } });
  });

  test("may not come at all: its deadline is kept", async () => {
    const id = await createJob("patience", { first: "listen", seconds: 600 });
    await between();
    expect(await jobAlarm(id, 601_000)).toBe(true);
    await expectJob(id, {
      status: "failed",
      current_state: "late",
      error_message: "Waiting for event 'paid' timed out after 600 s.",
    });
  });

  test("a sleep is over when it is over, and not before", async () => {
    const id = await createJob("patience", { first: "nap", seconds: 86_400 });
    expect(await viewJob(id)).toMatchObject({ status: "waiting_for_event", waiting_for: { kind: "timer" } });
    await between();
    await jobAlarm(id, 86_000_000);
    expect(await viewJob(id)).toMatchObject({ status: "waiting_for_event" });
    await between();
    expect(await jobAlarm(id, 401_000)).toBe(true);
    await expectJob(id, { status: "finished" });
  });
});
