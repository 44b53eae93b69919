import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test } from "vitest";
import type { JobCommand } from "../../src/job/command.ts";
import { repairable } from "../support/feature-blueprints.ts";
import { createJob, eventually, expectJob, unique, viewJob } from "../support/workerd-api.ts";
import { jobAlarm, WAYS } from "../support/workerd-clock.ts";
import { shardRows } from "../support/workerd-objects.ts";
import { socketWorker } from "../support/workerd-worker.ts";

const command = (id: string, asked: JobCommand) => env.JOBS.getByName(id).command("alice", "client:alice", asked);
const BACKOFF_MS = 8_000;

async function quarantined(): Promise<string> {
  const id = await createJob("fragile", {});
  for (let failures = 0; failures < 3; failures += 1) await jobAlarm(id, BACKOFF_MS);
  await expectJob(id, { status: "quarantined", current_state: "work", error_message: "It does not work yet." });
  return id;
}

afterEach(() => {
  repairable.broken = true;
});

describe.each(WAYS)("a quarantined job, %s,", (_, between) => {
  test("is retried from the state that failed", async () => {
    const id = await quarantined();
    await between();
    repairable.broken = false;
    expect(await command(id, { do: "retry", reason: "mended" })).toMatchObject({ ok: true });
    await expectJob(id, { status: "finished", error_message: null, state_history: { begun: true } });
  });

  test("is retried with patched data, or from another state", async () => {
    const id = await quarantined();
    await between();
    expect(await command(id, { do: "retry", state: "nowhere" })).toMatchObject({ ok: false, code: "bad_request" });
    expect(await command(id, { do: "retry", state: "begin", stateHistory: { patched: true } })).toMatchObject({
      ok: true,
    });
    await expectJob(id, { status: "finished" });
  });

  test("is discarded", async () => {
    const id = await quarantined();
    await between();
    expect(await command(id, { do: "discard", reason: "no use" })).toMatchObject({ ok: true, status: "cancelled" });
    await expectJob(id, { status: "cancelled", error_message: "It does not work yet." });
    expect(await command(id, { do: "retry" })).toMatchObject({ ok: false, code: "conflict" });
  });
});

describe.each(WAYS)("a paused job, %s,", (_, between) => {
  test("lets its worker finish, and goes on from the result when it is resumed", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("signals", { type });
    const task = await worker.task();
    expect(await command(id, { do: "pause", reason: "look" })).toMatchObject({
      ok: true,
      status: "waiting_for_worker",
    });
    expect(await viewJob(id)).toMatchObject({ paused: { by: "client:alice", reason: "look" } });
    await between();
    expect(await worker.result(task)).toMatchObject({ status: "result_accepted_success" });
    await between();
    expect(await viewJob(id)).toMatchObject({ status: "running", current_state: "listen", waiting_for: null });
    expect(await command(id, { do: "resume", reason: "looked" })).toMatchObject({ ok: true });
    await expectJob(id, { status: "waiting_for_event", paused: null });
  });

  test("takes its task back from the waiting list, and offers it again", async () => {
    const type = unique();
    const id = await createJob("one-task", { type });
    await eventually(() => shardRows("waiting", id)).toBe(1);
    await command(id, { do: "pause", reason: "wait" });
    expect(await shardRows("waiting", id)).toBe(0);
    await between();
    const worker = await socketWorker([type]);
    expect(await worker.rest()).toEqual([]);
    await command(id, { do: "resume", reason: "go" });
    await worker.result(await worker.task());
    await expectJob(id, { status: "finished" });
  });

  test("keeps its timers still", async () => {
    const id = await createJob("patience", { first: "nap", seconds: 1_000 });
    await command(id, { do: "pause", reason: "wait" });
    await between();
    await jobAlarm(id, 5_000_000);
    expect(await viewJob(id)).toMatchObject({ status: "waiting_for_event" });
    await command(id, { do: "resume", reason: "go" });
    await between();
    await jobAlarm(id, 900_000);
    expect(await viewJob(id)).toMatchObject({ status: "waiting_for_event" });
    expect(await jobAlarm(id, 101_000)).toBe(true);
    await expectJob(id, { status: "finished" });
  });

  test("can be cancelled", async () => {
    const id = await createJob("patience", { first: "nap", seconds: 1_000 });
    await command(id, { do: "pause", reason: "wait" });
    await between();
    expect(await command(id, { do: "cancel" })).toMatchObject({ ok: true, status: "cancelled" });
  });

  test("is neither paused twice nor resumed twice", async () => {
    const id = await createJob("patience", { first: "nap", seconds: 1_000 });
    expect(await command(id, { do: "resume", reason: "go" })).toMatchObject({ ok: false, code: "conflict" });
    await command(id, { do: "pause", reason: "wait" });
    await between();
    expect(await command(id, { do: "pause", reason: "wait" })).toMatchObject({ ok: false, code: "conflict" });
  });
});

describe.each(WAYS)("a live job, %s,", (_, between) => {
  test("is moved to another state; its task is called back", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("signals", { type });
    const task = await worker.task();
    await between();
    expect(await command(id, { do: "move", state: "nowhere", reason: "try" })).toMatchObject({ code: "bad_request" });
    expect(await command(id, { do: "move", state: "listen", reason: "skip the work" })).toMatchObject({ ok: true });
    await worker.next("cancel_task");
    await expectJob(id, { status: "waiting_for_event", current_state: "listen" });
    expect(await worker.result(task)).toMatchObject({ status: "ignored", reason: "stale_task" });
  });

  test("has its data patched without being moved", async () => {
    const id = await createJob("patience", { first: "nap", seconds: 100 });
    await between();
    expect(await command(id, { do: "patch", stateHistory: { note: "by hand" }, reason: "fix" })).toMatchObject({
      ok: true,
    });
    await between();
    await jobAlarm(id, 101_000);
    await expectJob(id, { status: "finished", result: { note: "by hand" } });
  });
});
