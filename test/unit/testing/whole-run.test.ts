import { InvalidInputError, PermanentError, TransientError } from "@batuta/worker";
import { blueprint } from "batuta";
import { noAnswer, result, testJob, workerLost } from "batuta/testing";
import { describe, expect, test } from "vitest";
import { errand, plain, round } from "./blueprints.ts";

const minutes = (count: number) => count * 60_000;

describe("fake workers", () => {
  test("do the tasks of a job until it ends", async () => {
    const job = await testJob(errand, {
      input: { what: "letter" },
      workers: { fetch: ({ what }) => ({ brought: what }) },
    }).run();

    expect(job.status).toBe("finished");
    expect(job.states).toEqual(["go", "home"]);
    expect(job.result).toEqual({ brought: "letter" });
    expect(job.error).toBeNull();
  });

  test("are told which task it is, and may take their time", async () => {
    const seen: unknown[] = [];
    await testJob(errand, {
      workers: {
        fetch: async (params, { jobId, taskId, attempt, signal }) => {
          await new Promise((resolve) => setTimeout(resolve, 1));
          seen.push({ params, jobId, taskId, attempt, aborted: signal.aborted });
        },
      },
    }).run();

    expect(seen).toEqual([{ params: { what: "parcel" }, jobId: "job", taskId: "job-1", attempt: 1, aborted: false }]);
  });

  test("answer with a word of the blueprint's own", async () => {
    const job = await testJob(errand, { workers: { fetch: () => result("review", { torn: true }) } }).run();
    expect(job.states).toEqual(["go", "review"]);
    expect(job.result).toEqual({ torn: true });
  });

  test("are tried again after a failure that may pass, on a clock that is moved and not waited for", async () => {
    const attempts: number[] = [];
    const job = testJob(errand, {
      workers: {
        fetch: (_, { attempt }) => {
          attempts.push(attempt);
          if (attempt < 4) throw new Error("busy");
          return { brought: true };
        },
      },
    });
    const before = job.now;
    await job.run();

    expect(attempts).toEqual([1, 2, 3, 4]);
    expect(job.status).toBe("finished");
    // Half of the bounds 1 s, 2 s and 4 s: chance is always 0.5.
    expect(job.now - before).toBe(3_500);
  });

  test("fail for good when their attempts are spent", async () => {
    const job = await testJob(errand, {
      input: { maxAttempts: 2 },
      workers: {
        fetch: (_, { attempt }) => {
          throw new Error(`busy ${attempt}`);
        },
      },
    }).run();
    expect(job.status).toBe("failed");
    expect(job.result).toEqual({ type: "fetch", code: "TRANSIENT_ERROR", message: "busy 2" });
  });

  test.each([
    [new PermanentError("torn"), "quarantined", "Task failed with permanent error: torn"],
    [new InvalidInputError("no such thing"), "failed", "Task failed due to invalid input: no such thing"],
    [new TransientError("busy"), "quarantined", "Task failed after 4 attempts: busy"],
    [Object.assign(new Error("dry"), { code: "OUT_OF_INK" }), "quarantined", "Task failed after 4 attempts: dry"],
  ])("fail with the code of the error they throw: %s", async (error, status, text) => {
    const job = await testJob(plain, {
      workers: {
        fetch: () => {
          throw error;
        },
      },
    }).run();
    expect(job.status).toBe(status);
    expect(job.error).toBe(text);
    expect(job.history.find((event) => event.error !== undefined)?.error).toBe(`${error.code}: ${error.message}`);
  });

  test("may vanish with the task, which another one gets", async () => {
    const job = await testJob(errand, {
      workers: { fetch: (_, { attempt }) => (attempt === 1 ? workerLost() : { attempt }) },
    }).run();
    expect(job.result).toEqual({ attempt: 2 });
    expect(job.history.map((event) => event.event_type)).toContain("task_lost");
  });

  test("that vanish each time end the task", async () => {
    const job = await testJob(errand, { workers: { fetch: workerLost } }).run();
    expect(job.result).toMatchObject({ code: "PERMANENT_ERROR", message: expect.stringContaining("lost its worker") });
  });

  test("may never answer; then the task's time runs out", async () => {
    const job = testJob(errand, { workers: { fetch: noAnswer } });
    const before = job.now;
    await job.run();
    expect(job.states).toEqual(["go", "late"]);
    expect(job.error).toBe("TIMEOUT_ERROR: Worker task timed out. It ran longer than 300 s.");
    expect(job.now - before).toBe(minutes(5));
  });

  test("may say how far they are and what happens meanwhile", async () => {
    const progress = await testJob(errand, {
      workers: {
        fetch: (_, task) => {
          task.sendProgress(0.5, "half way");
          return noAnswer();
        },
      },
    }).start();
    expect(progress.view()).toMatchObject({
      progress: 0.5,
      progress_message: "half way",
      task_worker_id: "test-worker",
    });

    const moved = await testJob(errand, {
      workers: { fetch: (_, task) => task.sendEvent("seen", { where: "harbour" }) },
    }).run();
    expect(moved.states).toEqual(["go", "review"]);
    expect(moved.result).toEqual({ where: "harbour" });
  });

  test("get what JSON carries and give what JSON carries", async () => {
    const when = new Date(0);
    const dated = blueprint({ name: "dated", states: ["go", "home"] })
      .start("go", ({ actions }) =>
        actions.dispatchTask({ type: "fetch", params: { when, none: undefined }, transitions: { success: "home" } }),
      )
      .end("home");
    const seen: unknown[] = [];
    const job = await testJob(dated, {
      workers: {
        fetch: (params) => {
          seen.push(params);
          return { when, none: undefined };
        },
      },
    }).run();
    expect(seen).toStrictEqual([{ when: "1970-01-01T00:00:00.000Z" }]);
    expect(job.result).toStrictEqual({ when: "1970-01-01T00:00:00.000Z" });
  });

  test("do the branches of a fan-out, each with its own attempts", async () => {
    const job = await testJob(round, {
      input: { stops: ["a", "b", "c"] },
      workers: {
        visit: ({ stop }, { attempt }) => {
          if (stop === "b" && attempt === 1) throw new Error("closed");
          if (stop === "c") throw new PermanentError("gone");
          return stop;
        },
      },
    }).run();
    expect(job.result).toEqual([
      { status: "success", data: "a", attempt: 1 },
      { status: "success", data: "b", attempt: 2 },
      { status: "failure", data: null, attempt: 1 },
    ]);
  });

  test("are told when their work is not wanted any more", async () => {
    const job = await testJob(round, {
      input: { stops: ["good", "bad"], failFast: true },
      workers: {
        visit: async ({ stop }, { signal }) => {
          if (stop === "bad") throw new PermanentError("gone");
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
          return "too late";
        },
      },
    }).run();
    expect(job.result).toMatchObject([{ status: "cancelled", data: null }, { status: "failure" }]);
  });
});

describe("a job", () => {
  test("that nobody works for is not left waiting in silence", async () => {
    const job = testJob(errand, { workers: { sweep: () => null } });
    await expect(job.run()).rejects.toThrow(
      "Nobody does the tasks of type 'fetch', so the job cannot go on. Give testJob a fake worker for each type (workers), or byHand where the test itself is to answer.",
    );
    expect(job.status).toBe("waiting_for_worker");
  });

  test("may have handlers that are async", async () => {
    const slow = blueprint({ name: "slow", states: ["think", "again", "done"] })
      .start("think", async ({ actions }) => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        return actions.transitionTo("again", { thought: true });
      })
      .handler("again", async ({ actions }) => actions.transitionTo("done"))
      .end("done", async ({ stateHistory }) => stateHistory);
    const job = await testJob(slow).run();
    expect(job.states).toEqual(["think", "again", "done"]);
    expect(job.result).toEqual({ thought: true });
  });

  test("whose handler throws is tried again and then quarantined", async () => {
    let calls = 0;
    const broken = blueprint({ name: "broken", states: ["work", "done"] })
      .start("work", () => {
        calls += 1;
        throw new Error("It is broken.");
      })
      .end("done");
    const job = await testJob(broken, { settings: { maxRetries: 1 } }).run();
    expect(job.status).toBe("quarantined");
    expect(job.error).toBe("It is broken.");
    expect(job.states).toEqual(["work"]);
    expect(calls).toBe(2);
  });

  test("that leads in a circle is stopped by the engine, and one that does so over tasks by the kit", async () => {
    const circle = blueprint({ name: "circle", states: ["on", "and_on", "done"] })
      .start("on", ({ actions }) => actions.transitionTo("and_on"))
      .handler("and_on", ({ actions }) =>
        actions.dispatchTask({ type: "step", transitions: { success: "on", stop: "done" } }),
      )
      .end("done");
    const job = testJob(circle, { workers: { step: () => null } });
    await expect(job.run()).rejects.toThrow(
      /^The jobs took more than 10000 steps at once, and were stopped: job \(circle\)/,
    );

    const short = blueprint({ name: "short", states: ["on", "done"] })
      .start("on", ({ actions }) => actions.transitionTo("on"))
      .end("done");
    const ended = await testJob(short).run();
    expect(ended.error).toMatch("exceeded maximum transitions (100)");
  });

  test("shows what its client sees", async () => {
    const job = testJob(errand, {
      input: { what: "letter" },
      now: "2030-05-01T12:00:00Z",
      metadata: { team: "post" },
      client: { name: "ann", plan: "gold", params: { size: 3 } },
    });
    await job.start();
    expect(job.view()).toMatchObject({
      id: "job",
      blueprint_name: "errand",
      status: "waiting_for_worker",
      current_state: "go",
      initial_data: { what: "letter" },
      metadata: { team: "post" },
      client_config: { name: "ann", plan: "gold", params: { size: 3 } },
      created_at: "2030-05-01T12:00:00.000Z",
      current_task_info: { type: "fetch", attempt: 1 },
      finished_at: null,
    });
    expect(job.history.map(({ seq, event_type }) => [seq, event_type])).toEqual([
      [1, "job_created"],
      [2, "state_started"],
      [3, "task_dispatched"],
    ]);
  });

  test("leaves the clock of the process alone", async () => {
    const told: number[] = [];
    const clock = blueprint({ name: "clock", states: ["look", "done"] })
      .start("look", ({ actions }) => {
        told.push(Date.now());
        return actions.transitionTo("done");
      })
      .end("done");
    const before = Date.now();
    await testJob(clock, { now: 0 }).run();
    expect(told[0]).toBeGreaterThanOrEqual(before);
  });
});
