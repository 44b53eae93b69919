import { abortAllDurableObjects } from "cloudflare:test";
import { afterEach, describe, expect, test } from "vitest";
import { slowHandler } from "../support/blueprints.ts";
import { createJob, expectJob, viewJob } from "../support/workerd-api.ts";
import { jobAlarm, WAYS } from "../support/workerd-clock.ts";

const BACKOFF_MS = 8_000;
const LEASE_MS = 60_000;

afterEach(() => {
  slowHandler.waitsFor = Promise.resolve();
  slowHandler.starts = 0;
});

describe.each(WAYS)("a handler, %s,", (_, between) => {
  test("may take its time; the job is running meanwhile", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    slowHandler.waitsFor = promise;
    const id = await createJob("handlers", { first: "slow" });
    expect(await viewJob(id)).toMatchObject({ status: "running", current_state: "slow" });
    resolve();
    await between();
    await expectJob(id, { status: "finished", result: "has its time" });
    expect(slowHandler.starts).toBe(1);
  });

  test("that throws is tried four times, then the job is quarantined with its error", async () => {
    const id = await createJob("handlers", { first: "throws" });
    for (let failures = 1; failures <= 3; failures += 1) {
      await between();
      expect(await viewJob(id)).toMatchObject({ status: "awaiting_retry", retry_count: failures });
      expect(await jobAlarm(id, BACKOFF_MS)).toBe(true);
    }
    await between();
    expect(await viewJob(id)).toMatchObject({ status: "quarantined", error_message: "This handler always throws." });
  });

  test("that does not answer in time counts as failed, and what it says later comes too late", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    slowHandler.waitsFor = promise;
    const id = await createJob("handlers", { first: "slow" });
    await expectJob(id, {
      status: "awaiting_retry",
      error_message: "The handler of state 'slow' did not answer in time.",
    });
    slowHandler.waitsFor = Promise.resolve();
    resolve();
    await between();
    expect(await viewJob(id)).toMatchObject({ status: "awaiting_retry" });
    await jobAlarm(id, BACKOFF_MS);
    await expectJob(id, { status: "finished" });
  });

  test("that leads to itself for ever is stopped", async () => {
    const id = await createJob("handlers", { first: "circle" });
    await between();
    expect(await viewJob(id)).toMatchObject({
      status: "failed",
      error_message: expect.stringContaining("Suspected infinite loop detected."),
    });
  });
});

test("a handler that was cut off starts again once its lease is over", async () => {
  slowHandler.waitsFor = new Promise(() => {});
  const id = await createJob("handlers", { first: "slow" });
  await abortAllDurableObjects();
  slowHandler.waitsFor = Promise.resolve();
  await expectJob(id, { status: "running" });
  expect(await jobAlarm(id, LEASE_MS)).toBe(true);
  await expectJob(id, { status: "finished" });
  expect(slowHandler.starts).toBe(2);
});
