import { blueprint } from "batuta";
import { byHand, RefusedError, testJob } from "batuta/testing";
import { describe, expect, test } from "vitest";
import { errand, expenses, order } from "./blueprints.ts";

describe("a question to people", () => {
  test("is what a run stops at, however soon its time is over", async () => {
    const job = await testJob(expenses, { input: { amount: 900, hours: 24 } }).run();
    expect(job.status).toBe("waiting_for_human");
    expect(job.waitingFor).toMatchObject({
      kind: "human",
      message: "Pay 900?",
      decisions: ["approved", "rejected"],
      until: "2026-01-02T00:00:00.000Z",
    });
  });

  test("is decided by a person", async () => {
    const job = await testJob(expenses, { input: { amount: 900 } }).start();
    await job.decide("approved", { by: "ann", comment: "Well spent.", data: { account: 7 } });
    expect(job.status).toBe("finished");
    expect(job.result).toMatchObject({
      decision: "approved",
      decided_by: "ann",
      comment: "Well spent.",
      data: { account: 7 },
    });
    expect(job.waitingFor).toBeNull();
  });

  test("may need several", async () => {
    const job = await testJob(expenses, { input: { amount: 9, approvals: 2 } }).start();
    await job.decide("approved", { by: "ann" });
    expect(job.status).toBe("waiting_for_human");
    await job.decide("approved", { by: "bob" });
    expect(job.status).toBe("finished");
  });

  test("refuses what is no answer, with the engine's text", async () => {
    const job = await testJob(expenses, { input: { amount: 900 } }).start();
    const refused = await job.decide("perhaps").catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(RefusedError);
    expect(refused).toMatchObject({ code: "bad_request", message: "Invalid decision 'perhaps' for this job" });

    await job.decide("rejected");
    expect(job.status).toBe("failed");
    await expect(job.decide("approved")).rejects.toThrow("Job is not in a state that can be approved");
  });

  test("may be answered before the test has begun the job, which then begins first", async () => {
    const polite = blueprint({ name: "polite", states: ["ask", "done"] })
      .start("ask", async ({ actions }) => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        return actions.awaitHumanApproval({ message: "May I?", transitions: { approved: "done" } });
      })
      .end("done");
    const job = testJob(polite);
    expect(job.status).toBe("pending");
    await job.decide("approved");
    expect(job.status).toBe("finished");
  });

  test("is given up when its time is over", async () => {
    const job = testJob(expenses, { input: { amount: 900, hours: 24 } });
    await job.advance({ hours: 23, minutes: 59 });
    expect(job.state).toBe("ask");
    await job.advance({ minutes: 1 });
    expect(job.state).toBe("late");
  });
});

describe("an event", () => {
  test("is waited for, and then so is the time that passes by itself", async () => {
    const job = await testJob(order).run();
    expect(job.waitingFor).toMatchObject({ kind: "event", event: "paid" });
    await job.sendEvent("paid", { id: 1 });
    expect(job.waitingFor).toMatchObject({ kind: "timer" });
    await job.run();
    expect(job.result).toEqual({ id: 1 });
    expect(job.now).toBe(Date.UTC(2026, 0, 2));
  });

  test("that comes early is kept, and one that comes again counts once", async () => {
    const job = await testJob(errand, { workers: { fetch: byHand } }).run();
    await job.sendEvent("paid", { id: 1 }, { id: "e1" });
    await job.sendEvent("paid", { id: 2 }, { id: "e1" });
    expect(job.history.filter((event) => event.event_type === "event_received")).toHaveLength(1);
  });

  test("that an ended job gets is refused", async () => {
    const job = await testJob(errand, { workers: { fetch: () => null } }).run();
    await expect(job.sendEvent("paid")).rejects.toThrow("The job is finished; it takes no events any more.");
  });
});

describe("by hand, a job", () => {
  test("is cancelled: at once when nobody has its task, else when its worker has answered or the grace is over", async () => {
    const untaken = await testJob(errand).start();
    await untaken.cancel({ reason: "not needed" });
    expect(untaken.status).toBe("cancelled");
    expect(untaken.error).toBe("The job was cancelled by client:test: not needed");

    const taken = await testJob(errand, { workers: { fetch: byHand } }).run();
    await taken.cancel();
    expect(taken.view()).toMatchObject({ status: "waiting_for_worker", cancel_requested: true });
    await taken.task("fetch").answer("cancelled");
    expect(taken.status).toBe("cancelled");

    const silent = await testJob(errand, { workers: { fetch: byHand } }).run();
    await silent.cancel();
    await silent.advance({ seconds: 29 });
    expect(silent.status).toBe("waiting_for_worker");
    await silent.advance({ seconds: 1 });
    expect(silent.status).toBe("cancelled");
    await expect(silent.cancel()).rejects.toThrow("has ended already");
  });

  test("is cancelled before its worker has answered, who is told", async () => {
    const job = testJob(errand, {
      workers: {
        fetch: (_, { signal }) =>
          new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      },
    });
    const running = job.run();
    await job.cancel();
    await running;
    expect(job.status).toBe("cancelled");
    expect(job.history.map((event) => event.event_type)).toContain("task_finished");
  });

  test("is paused, with its clock, and resumed", async () => {
    const job = await testJob(order).run();
    await job.pause({ by: "ann", reason: "holidays" });
    expect(job.view()).toMatchObject({ paused: { by: "ann", reason: "holidays" } });
    await job.advance({ days: 30 });
    expect(job.state).toBe("await_payment");
    await job.resume();
    await job.advance({ days: 6 });
    expect(job.state).toBe("await_payment");
    await job.advance({ days: 1 });
    expect(job.state).toBe("expired");
    await expect(job.resume()).rejects.toThrow("The job is not paused.");
  });

  test("that is paused keeps back its task, which goes out again when it is resumed", async () => {
    const job = await testJob(errand).start();
    await job.pause();
    expect(job.tasks).toEqual([]);
    await job.resume();
    await job.task("fetch").succeed();
    expect(job.status).toBe("finished");
  });

  test("is moved to another state", async () => {
    const job = await testJob(errand).start();
    await job.move("review", { by: "ann", reason: "found it", stateHistory: { found: true } });
    expect(job.result).toEqual({ found: true });
    expect(job.history.find((event) => event.event_type === "job_moved")?.context_snapshot).toEqual({
      by: "ann",
      reason: "found it",
    });
    const other = await testJob(errand).start();
    await expect(other.move("nowhere")).rejects.toThrow("Blueprint 'errand' has no state 'nowhere'.");
  });

  test("is patched, retried and discarded", async () => {
    const fragile = blueprint({ name: "fragile", states: ["listen", "work", "done"] })
      .start("listen", ({ actions }) => actions.waitFor({ event: "go", transitions: { received: "work" } }))
      .handler("work", ({ stateHistory, actions }) => {
        if (stateHistory["mended"] !== true) throw new Error("broken");
        return actions.transitionTo("done");
      })
      .end("done");
    const settings = { maxRetries: 0 };

    const patched = await testJob(fragile, { settings }).start();
    await patched.patch({ mended: true }, { reason: "by hand" });
    await patched.sendEvent("go");
    expect(patched.status).toBe("finished");

    const retried = await testJob(fragile, { settings }).start();
    await retried.sendEvent("go");
    expect(retried.status).toBe("quarantined");
    await retried.retry();
    expect(retried.status).toBe("quarantined");
    await retried.retry({ state: "work", stateHistory: { mended: true } });
    expect(retried.status).toBe("finished");
    expect(retried.states).toEqual(["listen", "work", "work", "work", "done"]);

    const discarded = await testJob(fragile, { settings }).start();
    await discarded.sendEvent("go");
    await discarded.discard({ reason: "let it go" });
    expect(discarded.status).toBe("cancelled");
    await expect(discarded.discard()).rejects.toThrow("only a quarantined job is discarded");
  });
});
