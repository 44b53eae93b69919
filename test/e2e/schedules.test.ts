import { Worker } from "@batuta/worker";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { z } from "zod";
import type { ApiClient } from "../support/api-client.ts";
import { BatutaServer } from "../support/batuta-server.ts";

const schedule = z.looseObject({
  runs: z.array(z.looseObject({ outcome: z.string(), occurrence: z.string(), job_id: z.string().optional() })),
});

let server: BatutaServer;
let alice: ApiClient;
let worker: Worker;
let running: Promise<void>;
beforeAll(async () => {
  server = await BatutaServer.start({ clients: ["alice"] });
  alice = server.client("alice");
  worker = new Worker({ ...server.forWorkers, shutdownTimeout: 0 }).task("tick", ({ params }) => params);
  running = worker.run({ handleSignals: false });
});
afterAll(async () => {
  await worker.stop();
  await running;
  await server.kill();
});

/** Waits until the schedule has started this many jobs. @returns occurrence → job, oldest first */
function startedJobs(count: number): Promise<Map<string, string>> {
  const look = async () => {
    const { runs } = schedule.parse((await alice.call("GET", "/schedules/ticks")).body);
    const started = runs.flatMap(({ occurrence, job_id: job }) =>
      job === undefined ? [] : [[occurrence, job] as const],
    );
    expect(started.length).toBeGreaterThanOrEqual(count);
    expect(new Map(started).size).toBe(started.length);
    return new Map(started.toReversed());
  };
  return vi.waitFor(look, { interval: 50, timeout: 20_000 });
}

test("a schedule of every second makes jobs that are done, one an occurrence, and goes on after the server was killed", async () => {
  const asked = {
    id: "ticks",
    blueprint: "one_task",
    every_seconds: 1,
    overlap: "allow",
    initial_data: { type: "tick", value: "tock" },
  };
  expect(await alice.call("POST", "/schedules", { json: asked })).toMatchObject({ status: 201 });
  const before = await startedJobs(2);
  for (const job of before.values()) {
    await alice.expectJob(job, { status: "finished", result: { value: "tock" }, metadata: { schedule_id: "ticks" } });
  }
  await server.kill();
  await server.startAgain();
  const after = await startedJobs(before.size + 2);
  for (const [occurrence, job] of before) expect(after.get(occurrence)).toBe(job);
  expect(new Set(after.values()).size).toBe(after.size);
  const newest = [...after.values()].at(-1) ?? "";
  await alice.expectJob(newest, { status: "finished" });
});
