import { blueprint } from "batuta";
import { noAnswer, testJob, type TestJobOptions } from "batuta/testing";
import { describe, expect, test } from "vitest";
import { errand, order } from "./blueprints.ts";

const busy = () => {
  throw new Error("busy");
};

describe("the clock", () => {
  test.each([
    ["epoch ms", 1_000],
    ["a text", "1970-01-01T00:00:01Z"],
    ["a Date", new Date(1_000)],
  ])("begins where it is told, as %s", (_, now) => {
    expect(testJob(errand, { now }).now).toBe(1_000);
  });

  test("begins where it always does unless it is told", () => {
    expect(testJob(errand).now).toBe(Date.UTC(2026, 0, 1));
    expect(() => testJob(errand, { now: "next week" })).toThrow("'next week' is no time.");
  });

  test("goes forwards by the sum of what it is told, and stands still otherwise", async () => {
    const job = testJob(order, { now: 0 });
    await job.start();
    expect(job.now).toBe(0);
    await job.advance({ days: 1, hours: 1, minutes: 1, seconds: 1, ms: 1 });
    expect(job.now).toBe(90_061_001);
    await expect(job.advance({ hours: -1 })).rejects.toThrow("Time goes forwards only");
    await expect(job.advance({ hours: Number.NaN })).rejects.toThrow("Time goes forwards only");
  });

  test("passes each moment on its way, and what is due then happens then", async () => {
    const naps = blueprint({ name: "naps", states: ["first", "second", "done"] })
      .start("first", ({ actions }) => actions.sleep({ seconds: 10, to: "second" }))
      .handler("second", ({ actions }) => actions.sleep({ until: "2026-01-01T01:00:00Z", to: "done" }))
      .end("done");
    const job = await testJob(naps).advance({ hours: 2 });
    expect(
      job.history.flatMap(({ event_type, at }) => (event_type === "state_started" ? [at - Date.UTC(2026, 0, 1)] : [])),
    ).toEqual([0, 10_000, 3_600_000]);
  });

  test("is moved by a run to the job's own start", async () => {
    const job = testJob(errand, { startAt: "2026-03-01T00:00:00Z", workers: { fetch: () => null } });
    await job.start();
    expect(job.waitingFor).toMatchObject({ kind: "start", until: "2026-03-01T00:00:00.000Z" });
    await job.run();
    expect(job.status).toBe("finished");
    expect(job.now).toBe(Date.UTC(2026, 2, 1));
  });

  test("is moved by a run to the end of the whole job's time, when nothing comes before", async () => {
    const hurried = blueprint({
      name: "hurried",
      timeout: { seconds: 60, to: "late" },
      states: ["work", "late", "done"],
    })
      .start("work", ({ actions }) => actions.dispatchTask({ type: "fetch", transitions: { success: "done" } }))
      .end("late", () => "out of time")
      .end("done");
    const job = await testJob(hurried, { workers: { fetch: noAnswer } }).run();
    expect(job.result).toBe("out of time");
  });
});

describe("chance", () => {
  test.each([
    [0, 0],
    [0.5, 3_500],
    [() => 0.25, 1_750],
  ])("is as it is told: %s", async (random, ms) => {
    const job = testJob(errand, { random, workers: { fetch: busy } });
    const before = job.now;
    await job.run();
    expect(job.now - before).toBe(ms);
  });
});

describe("settings", () => {
  test.each<[NonNullable<TestJobOptions["settings"]>, object]>([
    [{ maxRetries: 1 }, { error_message: "TRANSIENT_ERROR: busy" }],
    [
      { maxTransitions: 0 },
      { status: "failed", error_message: expect.stringContaining("exceeded maximum transitions (0)") },
    ],
  ])("may differ from the defaults: %j", async (settings, like) => {
    const job = await testJob(errand, { settings, workers: { fetch: busy } }).run();
    expect(job.view()).toMatchObject(like);
  });

  test("of time hold as well", async () => {
    const job = testJob(errand, { settings: { taskTimeoutMs: 1_000 }, workers: { fetch: noAnswer } });
    const before = job.now;
    await job.run();
    expect(job.now - before).toBe(1_000);
  });

  test("of the client hold for tasks that name no limits", async () => {
    const job = await testJob(errand, { dispatchTimeoutSeconds: 5 }).advance({ seconds: 5 });
    expect(job.error).toMatch("no worker took it within 5 s");
    const result = await testJob(errand, { resultTimeoutSeconds: 7, workers: { fetch: noAnswer } }).run();
    expect(result.error).toMatch("there was no result within 7 s");
  });

  test("bound the steps of one call", async () => {
    const ticker = blueprint({ name: "ticker", states: ["tick", "done"] })
      .start("tick", ({ actions }) => actions.sleep({ seconds: 1, to: "tick" }))
      .end("done");
    const job = testJob(ticker, { maxSteps: 10 });
    await job.advance({ seconds: 4 });
    await job.advance({ seconds: 4 });
    expect(job.states).toHaveLength(9);
    await expect(job.advance({ seconds: 5 })).rejects.toThrow("took more than 10 steps at once");
    await expect(job.start()).rejects.toThrow("took more than 10 steps at once");
  });
});
