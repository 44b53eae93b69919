import { byHand, testJob } from "batuta/testing";
import { describe, expect, test } from "vitest";
import { errand, plain, round } from "./blueprints.ts";

const SUCCESS = { status: "result_accepted_success" };

describe("a task in the hands of the test", () => {
  test("is seen with what the blueprint asks", async () => {
    const job = await testJob(errand, { input: { what: "letter" } }).start();
    const [task, ...others] = job.tasks;
    expect(others).toEqual([]);
    expect(task).toMatchObject({ id: "job-1", type: "fetch", params: { what: "letter" }, attempt: 1 });
  });

  test("succeeds once", async () => {
    const job = await testJob(errand).start();
    const task = job.task("fetch");
    expect(await task.succeed({ brought: true })).toEqual(SUCCESS);
    expect(job.result).toEqual({ brought: true });
    expect(await task.succeed({ brought: false })).toMatchObject({
      status: "ignored",
      reason: "job_already_terminated",
    });
    expect(job.result).toEqual({ brought: true });
  });

  test("is answered with any word", async () => {
    const job = await testJob(errand).start();
    await job.task("fetch").answer("review", { torn: true });
    expect(job.state).toBe("review");

    const unheard = await testJob(plain).start();
    await unheard.task("fetch").answer("unheard_of");
    expect(unheard.error).toBe("Worker returned unhandled status: unheard_of");
  });

  test("fails, and comes back as another attempt after its pause", async () => {
    const job = await testJob(errand).start();
    const first = job.task("fetch");
    await first.fail({ message: "busy" });
    expect(job.tasks).toEqual([]);
    expect(job.view()).toMatchObject({
      status: "waiting_for_worker",
      retry_count: 1,
      retry_at: "2026-01-01T00:00:00.500Z",
    });

    await job.advance({ ms: 499 });
    expect(job.tasks).toEqual([]);
    await job.advance({ ms: 1 });
    expect(job.task("fetch").attempt).toBe(2);
    expect(await first.succeed()).toMatchObject({ status: "ignored", reason: "stale_task" });

    await job.task("fetch").fail({ code: "PERMANENT_ERROR", message: "gone" });
    expect(job.result).toEqual({ type: "fetch", code: "PERMANENT_ERROR", message: "gone" });
  });

  test("loses its worker, and is offered anew at once", async () => {
    const job = await testJob(errand).start();
    await job.task("fetch").loseWorker();
    expect(job.task("fetch").attempt).toBe(2);
    expect(job.view()).toMatchObject({ task_worker_id: null });
  });

  test("says how far it is, and what happens meanwhile", async () => {
    const job = await testJob(errand).start();
    await job.task("fetch").progress(0.25, "on the way");
    expect(job.view()).toMatchObject({ progress: 0.25, progress_message: "on the way" });
    await job.task("fetch").event("seen", { where: "harbour" });
    expect(job.result).toEqual({ where: "harbour" });
  });

  test("may be taken in time and then not be done in time", async () => {
    const limits = { dispatchTimeoutSeconds: 60, timeoutSeconds: 600 };
    const untaken = testJob(errand, { input: limits });
    await untaken.advance({ seconds: 60 });
    expect(untaken.state).toBe("late");
    expect(untaken.error).toMatch("no worker took it within 60 s");

    const taken = testJob(errand, { input: limits });
    await taken.advance({ seconds: 59 });
    await taken.task("fetch").take();
    await taken.advance({ seconds: 599 });
    expect(taken.state).toBe("go");
    await taken.advance({ seconds: 1 });
    expect(taken.error).toMatch("It ran longer than 600 s.");
  });

  test("is found by its type when there is one, else by its id or among all", async () => {
    const job = await testJob(round, {
      input: { stops: ["a", "b"], maxConcurrent: 5 },
      workers: { visit: byHand },
    }).run();
    expect(job.view()).toMatchObject({ branches: { total: 2, done: 0 } });
    expect(() => job.task("visit")).toThrow(
      "There are 2 open tasks of type 'visit'. Name one by its id, or choose from job.tasks. The job is waiting_for_parallel_tasks in state 'split'; its open tasks: visit (job-1), visit (job-2).",
    );
    await job.task("job-2").succeed("B");
    expect(job.view()).toMatchObject({ branches: { total: 2, done: 1 } });
    await job.task("visit").succeed("A");
    expect(job.result).toMatchObject([{ data: "A" }, { data: "B" }]);
    expect(() => job.task("visit")).toThrow(
      "There is no open task 'visit'. The job is finished in state 'done'; its open tasks: none.",
    );
  });

  test("is one of as many as may be out at the same time", async () => {
    const job = await testJob(round, { input: { stops: ["a", "b", "c"], maxConcurrent: 2 } }).start();
    expect(job.tasks.map(({ id }) => id)).toEqual(["job-1", "job-2"]);
    await job.task("job-1").succeed();
    expect(job.tasks.map(({ id }) => id)).toEqual(["job-2", "job-3"]);
  });
});
