import { type TaskContext, Worker } from "@batuta/worker";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ApiClient } from "../support/api-client.ts";
import { BatutaServer } from "../support/batuta-server.ts";

let server: BatutaServer;
let alice: ApiClient;
beforeAll(async () => {
  server = await BatutaServer.start({ clients: ["alice", "bob"], environment: { JOB_MAX_RETRIES: "1" } });
  alice = server.client("alice");
});

describe.each([
  ["socket", true],
  ["long poll", false],
])("a worker on a %s", (_name, websockets) => {
  const held = Promise.withResolvers<TaskContext>();
  const release = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const aborted = Promise.withResolvers<void>();
  let tries = 0;
  let worker: Worker;
  let running: Promise<void>;

  beforeAll(() => {
    // Over long polls a worker learns of a cancelled task by its next heartbeat.
    const beat = websockets ? {} : { heartbeatInterval: 0.5 };
    worker = new Worker({ ...server.forWorkers, ...beat, websockets, taskPollTimeout: 5, shutdownTimeout: 1 })
      .task("echo", ({ params }) => ({ echoed: params.value }))
      .task("picky", () => ({ status: "rejected", data: { reason: "too small" } }))
      .task("flaky", () => {
        tries += 1;
        throw new Error("no luck today");
      })
      .task("endless", ({ signal }) => {
        started.resolve();
        return new Promise((_, reject) => {
          signal.addEventListener("abort", () => {
            aborted.resolve();
            reject(new Error("aborted"));
          });
        });
      })
      .task("long", async (context) => {
        await context.sendProgress(0.5, "half way");
        held.resolve(context);
        await release.promise;
        return {};
      });
    running = worker.run({ handleSignals: false });
  });
  afterAll(async () => {
    release.resolve();
    await worker.stop();
    await running;
  });

  test("finishes a job, and the result of its task is in the job", async () => {
    const id = await alice.create("one-task", { value: "Ada" });
    const job = await alice.expectJob(id, { status: "finished", current_state: "done", progress: 1 });
    expect(job.result).toMatchObject({ echoed: "Ada" });
    expect(job).toMatchObject({ id, blueprint_name: "one_task", initial_data: { value: "Ada" }, error_message: null });
  });

  test("leaves an account of the job in history, in order", async () => {
    const id = await alice.create("one-task", {});
    const events = await alice.history(id);
    expect(events.map((event) => event.seq)).toEqual(events.map((_, at) => at + 1));
    const types = events.map((event) => event.event_type);
    expect(types.at(0)).toBe("job_created");
    expect(types.at(-1)).toBe("job_finished");
    expect(types.filter((type) => type.startsWith("task_"))).toEqual(["task_dispatched", "task_finished"]);
    expect(events.find((event) => event.event_type === "task_finished")).toMatchObject({
      attempt_number: 1,
      worker_id: worker.workerId,
      error: null,
    });
  });

  test("drops the task of a job that is cancelled", async () => {
    const id = await alice.create("one-task", { type: "endless" });
    await started.promise;
    expect(await alice.call("POST", `/jobs/${id}/cancel`)).toMatchObject({ status: 200 });
    await aborted.promise;
    await alice.expectJob(id, { status: "cancelled" });
  });

  test("shows how far a task is while it runs", async () => {
    const id = await alice.create("one-task", { type: "long" });
    const { jobId, taskId } = await held.promise;
    expect(jobId).toBe(id);
    await alice.expectJob(id, {
      status: "waiting_for_worker",
      current_task_id: taskId,
      progress: 0.5,
      progress_message: "half way",
    });
    release.resolve();
    await alice.expectJob(id, { status: "finished" });
  });

  test("takes a job where a status word of its own leads", async () => {
    const id = await alice.create("one-task", { type: "picky" });
    await alice.expectJob(id, {
      status: "failed",
      current_state: "failed_on_purpose",
      state_history: { reason: "too small" },
    });
  });

  test("tries a failing task again, then the job is quarantined with the error", async () => {
    const id = await alice.create("one-task", { type: "flaky" });
    const job = await alice.expectJob(id, { status: "quarantined" });
    expect(job.error_message).toBe("Task failed after 2 attempts: no luck today");
    expect(tries).toBe(2);
    const attempts = (await alice.history(id)).filter((event) => event.event_type === "task_finished");
    expect(attempts).toMatchObject([
      { attempt_number: 1, error: "TRANSIENT_ERROR: no luck today" },
      { attempt_number: 2, error: "TRANSIENT_ERROR: no luck today" },
    ]);
  });
});

describe("two clients", () => {
  const newest = async (client: ApiClient) => (await client.call("GET", "/jobs?limit=2")).body;

  test("list their own jobs, newest first, and never see each other's", async () => {
    const bob = server.client("bob");
    const type = "nobody_does_this";
    const first = await alice.create("one-task", { type });
    const second = await alice.create("one-task", { type });
    const his = await bob.create("one-task", { type });
    const listed = { status: "waiting_for_worker", blueprint: "one_task" };
    await expect
      .poll(() => newest(alice), { interval: 100, timeout: 10_000 })
      .toMatchObject([
        { id: second, ...listed },
        { id: first, ...listed },
      ]);
    await expect.poll(() => newest(bob), { interval: 100, timeout: 10_000 }).toMatchObject([{ id: his, ...listed }]);
    for (const path of [`/jobs/${first}`, `/jobs/${first}/history`]) {
      expect(await bob.call("GET", path)).toMatchObject({ status: 404, body: { code: "job_not_found" } });
    }
  });
});
