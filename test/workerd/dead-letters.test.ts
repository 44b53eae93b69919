import { createExecutionContext, createMessageBatch, getQueueResult } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { jobHistory } from "../../src/history/queries.ts";
import { deliveriesOf } from "../../src/notices/delivery-log.ts";
import { QUEUE_RETRIES } from "../../src/limits.ts";
import { consumeQueue } from "../../src/queues.ts";
import { ALICE, call, createJob, expectJob, unique } from "../support/workerd-api.ts";
import { deliver, jobAlarm, WAYS } from "../support/workerd-clock.ts";
import { makeUnreachable, refuse, shardRows } from "../support/workerd-objects.ts";
import { socketWorker } from "../support/workerd-worker.ts";

/** Longest pause between two tries. */
const PAUSE_MS = 300_000;

const line = z.looseObject({ level: z.string(), message: z.string() });
let logged: z.infer<typeof line>[] = [];
const logOf = (message: string) => logged.filter((each) => each.message === message);

beforeEach(() => {
  logged = [];
  const take = (text: unknown) => void logged.push(line.parse(JSON.parse(String(text))));
  vi.spyOn(console, "error").mockImplementation(take);
  vi.spyOn(console, "log").mockImplementation(take);
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** Delivers a message of the dispatch queue until it is given up, and then what is dead. */
async function useUpAllTries(between: () => Promise<void>): Promise<void> {
  for (let tried = 0; tried <= QUEUE_RETRIES; tried += 1) {
    await deliver("dispatch", PAUSE_MS);
    await between();
  }
  await deliver("dead", 10_000);
}

/** Delivers these bodies as one batch of the platform's dead-letter queue. */
async function consumeDead(bodies: readonly unknown[], attempts = 1) {
  const messages = bodies.map((body, n) => ({ id: `m${n}`, timestamp: Date.now(), attempts, body }));
  const batch = createMessageBatch("batuta-dead", messages);
  await consumeQueue(batch, env);
  const { explicitAcks, retryMessages } = await getQueueResult(batch, createExecutionContext());
  return { acknowledged: explicitAcks.toSorted(), again: retryMessages.map(({ msgId }) => msgId) };
}

async function eventTypes(jobId: string): Promise<string[]> {
  await jobAlarm(jobId, 60_000);
  await deliver("history", 2_000);
  return (await jobHistory(env.HISTORY_DB, jobId, "alice")).map((event) => event.event_type);
}

describe.each(WAYS)("a job whose offer dies in the queue, %s,", (_, between) => {
  test("is quarantined with the shard, the tries and the last error, and runs once it is retried by hand", async () => {
    const type = unique();
    const away = makeUnreachable("shard-0");
    const id = await createJob("one-task", { type });
    await useUpAllTries(between);
    await expectJob(id, {
      status: "quarantined",
      error_message:
        "Task could not be dispatched. Shard 'shard-0' did not answer, in 12 tries. The last error: shard-0 is away.",
    });
    expect(logOf("dispatch.gave_up")).toMatchObject([{ level: "ERROR", job_id: id, shard: "shard-0", tries: 12 }]);
    away.mockRestore();
    await between();
    expect((await eventTypes(id)).slice(-2)).toEqual(["task_finished", "job_quarantined"]);
    const worker = await socketWorker([type]);
    expect(await call("POST", `/api/v1/jobs/${id}/retry`, { headers: ALICE })).toMatchObject({ status: 200 });
    await worker.result(await worker.task());
    await expectJob(id, { status: "finished" });
  });

  test("goes on when the shard is well again by the last try", async () => {
    const type = unique();
    const away = makeUnreachable("shard-0");
    const id = await createJob("one-task", { type });
    for (let tried = 0; tried <= QUEUE_RETRIES; tried += 1) await deliver("dispatch", PAUSE_MS);
    away.mockRestore();
    await between();
    const worker = await socketWorker([type]);
    await deliver("dead", 10_000);
    expect(await worker.task()).toMatchObject({ job_id: id, attempt: 1 });
    expect(logOf("dispatch.gave_up")).toEqual([]);
  });

  test("fails its branch for good, and the aggregator runs", async () => {
    const type = unique();
    makeUnreachable("shard-0");
    const id = await createJob("fan-out", { type, count: 2 });
    await useUpAllTries(between);
    await expectJob(id, { status: "finished", result: { succeeded: 0 } });
  });

  test("is quarantined soon by a shard that is well and cannot take it", async () => {
    const type = unique();
    refuse(type);
    const id = await createJob("one-task", { type });
    for (let tried = 0; tried < 3; tried += 1) {
      await expectJob(id, { status: "waiting_for_worker" });
      await deliver("dispatch", 10_000);
      await between();
    }
    await expectJob(id, {
      status: "quarantined",
      error_message: `Task could not be dispatched. Shard 'shard-0' refused it, in 3 tries. The last error: There is no room for ${type}.`,
    });
  });
});

describe("a dead offer", () => {
  const offered = (jobId: string, attempt: number) => ({
    v: 1,
    shard: "shard-0",
    offers: [
      {
        jobId,
        taskId: `${jobId}-1`,
        attempt,
        lease: "",
        type: "echo",
        params: {},
        tracing: {},
        client: "alice",
        priority: 0,
        strategy: "default",
        requirements: null,
        maxCost: null,
        timeoutMs: 1,
      },
    ],
  });

  test("of an attempt that is not current, of an ended job or of one that never was changes nothing", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("one-task", { type });
    const task = await worker.task();
    makeUnreachable("shard-0");
    expect(await consumeDead([offered(id, 2), offered(unique(), 1)])).toEqual({
      acknowledged: ["m0", "m1"],
      again: [],
    });
    await expectJob(id, { status: "waiting_for_worker" });
    await worker.result(task);
    expect((await consumeDead([offered(id, 1)])).acknowledged).toEqual(["m0"]);
    await expectJob(id, { status: "finished" });
    expect(logOf("dispatch.gave_up")).toEqual([]);
    expect(logOf("dispatch.dead_letter_outdated")).toHaveLength(3);
  });

  test("that its job wants no more does not come to the shard", async () => {
    const gone = unique();
    expect((await consumeDead([offered(gone, 1)])).acknowledged).toEqual(["m0"]);
    expect(await shardRows("waiting", gone)).toBe(0);
    expect(logOf("dispatch.dead_letter_outdated")).toMatchObject([{ job_id: gone }]);
  });

  test("whose job cannot be told comes again, and its last word is in the log", async () => {
    const id = unique();
    makeUnreachable("shard-0", id);
    expect(await consumeDead([offered(id, 1)])).toEqual({ acknowledged: [], again: ["m0"] });
    expect(await consumeDead([offered(id, 1)], 101)).toEqual({ acknowledged: ["m0"], again: [] });
    expect(logOf("dispatch.job_not_told")).toMatchObject([{ job_id: id }, { job_id: id }]);
    expect(logOf("dead_letter.lost")).toMatchObject([{ level: "CRITICAL", id: "m0" }]);
  });
});

describe("dead history", () => {
  const told = (jobId: string) => ({
    v: 1,
    job: {
      job_id: jobId,
      client: "alice",
      blueprint: "photos",
      status: "running",
      current_state: "inspect",
      created_at: 1,
      updated_at: 1,
      finished_at: null,
    },
    events: [{ seq: 4, event_type: "state_started", state: "inspect", at: 1 }],
  });

  test("is written after all once the database is there", async () => {
    const id = unique();
    expect(await consumeDead([told(id)])).toEqual({ acknowledged: ["m0"], again: [] });
    expect(await jobHistory(env.HISTORY_DB, id, "alice")).toMatchObject([{ seq: 4 }]);
  });

  test("is kept and logged with its job while the database is away", async () => {
    const id = unique();
    vi.spyOn(env.HISTORY_DB, "batch").mockRejectedValue(new Error("no database"));
    expect(await consumeDead([told(id)])).toEqual({ acknowledged: [], again: ["m0"] });
    expect(logOf("history.dead_letter")).toMatchObject([
      { level: "ERROR", job_id: id, client: "alice", first_seq: 4, last_seq: 4, error: "Error: no database" },
    ]);
  });
});

test("a dead notice is failed in the delivery log of its job", async () => {
  const id = unique();
  const notice = {
    v: 1,
    kind: "webhook",
    id: `${id}-7`,
    job_id: id,
    client: "alice",
    url: "https://example.com/hook?token=hunter2",
    body: { event: "job_finished" },
  };
  expect((await consumeDead([notice])).acknowledged).toEqual(["m0"]);
  expect(logOf("notice.dead_letter")).toMatchObject([{ level: "ERROR", job_id: id, client: "alice", id: `${id}-7` }]);
  expect(JSON.stringify(logged)).not.toContain("hunter2");
  expect(await deliveriesOf(env.HISTORY_DB, id, "alice")).toMatchObject([
    { id: `${id}-7`, status: "failed", last_error: expect.stringContaining("Given up"), next_attempt_at: null },
  ]);
});

test("a dead message that nobody understands is logged with its size, without what it says", async () => {
  expect((await consumeDead([{ secret: "hunter2" }, "text"])).acknowledged).toEqual(["m0", "m1"]);
  expect(logOf("dead_letter.unreadable")).toMatchObject([
    { level: "ERROR", id: "m0", bytes: 20 },
    { level: "ERROR", id: "m1", bytes: 6 },
  ]);
  expect(JSON.stringify(logged)).not.toContain("hunter2");
});
