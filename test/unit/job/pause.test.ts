import { blueprint, type CompleteBlueprint } from "batuta";
import { describe, expect, test } from "vitest";
import { JobBench } from "../../support/job-bench.ts";
import { oneState, T0 } from "../../support/job-builders.ts";

type Start = Parameters<ReturnType<typeof oneState>["start"]>[1];

function of(start: Start, options: ConstructorParameters<typeof JobBench>[1] = {}): JobBench {
  return new JobBench(oneState().start("work", start), options);
}

function pause(bench: JobBench) {
  return bench.job.command("ann", { do: "pause", reason: "lunch" });
}

function resume(bench: JobBench) {
  return bench.job.command("bob", { do: "resume", reason: "back" });
}

const working: Start = ({ actions }) =>
  actions.dispatchTask({
    type: "x",
    dispatchTimeoutSeconds: 20,
    resultTimeoutSeconds: 60,
    retry: { initialMs: 8_000 },
    transitions: { success: "done" },
  });

function report(bench: JobBench, status: string, number = 1) {
  return bench.job.report({ taskId: `job-${number}`, workerId: "w", outcome: { status } }).status;
}

describe("the timers of a paused job", () => {
  test.each<[string, Start, number]>([
    ["a sleep", ({ actions }) => actions.sleep({ seconds: 10, to: "done" }), 10_000],
    [
      "a question to people",
      ({ actions }) =>
        actions.awaitHumanApproval({ message: "?", timeoutSeconds: 10, transitions: { approved: "done" } }),
      10_000,
    ],
    [
      "a wait for an event",
      ({ actions }) => actions.waitFor({ event: "paid", timeoutSeconds: 10, transitions: { received: "done" } }),
      10_000,
    ],
    [
      "a child",
      ({ actions }) => actions.runBlueprint({ blueprint: "kid", timeoutSeconds: 10, transitions: { success: "done" } }),
      10_000,
    ],
    [
      "a failed handler",
      () => {
        throw new Error("broken");
      },
      500,
    ],
  ])("stand still: %s takes so much longer as the pause was", (_, start, ms) => {
    const bench = of(start);
    bench.pass(300);
    pause(bench);
    expect(bench.job.nextAt).toBeNull();
    bench.pass(3_600_000);
    expect(bench.record.pause).not.toBeNull();
    resume(bench);
    expect(bench.job.nextAt).toBe(T0 + 3_600_000 + ms);
  });

  test("stand still for a task's limits and the job's own too", () => {
    const bench = of(working, { deadlineAt: T0 + 90_000 });
    bench.job.take("job-1");
    pause(bench);
    bench.pass(100_000);
    resume(bench);
    expect(bench.record).toMatchObject({
      status: "waiting_for_worker",
      deadlineAt: T0 + 190_000,
      task: { dispatchBy: T0 + 120_000, resultBy: T0 + 160_000, attempt: 1 },
    });
  });

  test("stand still before the job has begun", () => {
    const bench = of(working, { startAt: T0 + 5_000 });
    pause(bench);
    bench.pass(60_000);
    resume(bench);
    expect(bench.record.status).toBe("pending");
    bench.pass(5_000);
    expect(bench.record.status).toBe("waiting_for_worker");
  });

  test("go on for branches as for a single task", () => {
    const bp = blueprint({ name: "fan", states: ["work", "join", "done"] })
      .start("work", ({ actions }) =>
        actions.dispatchParallel(
          [
            { type: "x", retry: { initialMs: 8_000 } },
            { type: "y", resultTimeoutSeconds: 60 },
          ],
          {
            aggregateInto: "join",
          },
        ),
      )
      .aggregator("join", ({ actions }) => actions.transitionTo("done"))
      .end("done");
    const bench = new JobBench(bp);
    bench.job.take("job-2");
    report(bench, "failure");
    pause(bench);
    bench.pass(100_000);
    resume(bench);
    expect([...bench.job.open.values()].map(({ retryAt, resultBy }) => [retryAt, resultBy])).toEqual([
      [T0 + 104_000, null],
      [null, T0 + 160_000],
    ]);
  });
});

describe("the work of a paused job", () => {
  test("that no worker has is taken back, and goes out anew when it is resumed", () => {
    const bench = of(working);
    pause(bench);
    expect(bench.record.task).toMatchObject({ attempt: 2, failures: 0, losses: 0, retryAt: T0 });
    expect(report(bench, "success")).toBe("ignored");
    bench.pass(100_000);
    expect(bench.offers).toHaveLength(1);
    resume(bench);
    expect(bench.offers.at(-1)).toMatchObject({
      attempt: 2,
      dispatchedAt: T0 + 100_000,
      dispatchBy: T0 + 120_000,
      resultBy: T0 + 160_000,
    });
  });

  test("that a worker has may be finished: the job moves, but runs nothing until it is resumed", () => {
    const bench = of(working);
    bench.job.take("job-1");
    pause(bench);
    expect(report(bench, "success")).toBe("result_accepted_success");
    expect(bench.record).toMatchObject({ status: "running", state: "done", pause: { by: "ann" } });
    bench.pass(100_000);
    expect(bench.record.status).toBe("running");
    expect(resume(bench)).toEqual({ ok: true, status: "finished" });
  });

  test("that failed rests as long as ever, from when it is resumed", () => {
    const bench = of(working);
    bench.job.take("job-1");
    pause(bench);
    bench.pass(50_000);
    report(bench, "failure");
    bench.pass(50_000);
    resume(bench);
    expect(bench.record.task?.retryAt).toBe(T0 + 104_000);
  });

  test("that lost its worker goes out anew when it is resumed", () => {
    const bench = of(working);
    bench.job.take("job-1");
    pause(bench);
    bench.pass(50_000);
    expect(bench.job.lose("job-1", 1, "worker_gone")).toBe(true);
    expect(bench.offers).toHaveLength(1);
    bench.pass(50_000);
    resume(bench);
    expect(bench.offers.at(-1)).toMatchObject({ attempt: 2, losses: 1, dispatchBy: T0 + 120_000 });
  });

  test("goes on in as many places as before", () => {
    const bp = fanOf(4, { maxConcurrent: 2 });
    const bench = new JobBench(bp);
    for (const id of ["job-1", "job-2"]) bench.job.take(id);
    pause(bench);
    report(bench, "success", 1);
    report(bench, "success", 2);
    expect(bench.offers).toHaveLength(2);
    bench.pass(1_000);
    resume(bench);
    expect(bench.offers.map(({ id, dispatchedAt }) => [id, dispatchedAt - T0])).toEqual([
      ["job-1", 0],
      ["job-2", 0],
      ["job-3", 1_000],
      ["job-4", 1_000],
    ]);
  });

  test("that could not succeed any more ends it all the same", () => {
    const bench = of(working);
    bench.job.take("job-1");
    pause(bench);
    report(bench, "perhaps");
    expect(bench.record).toMatchObject({ status: "failed", pause: null });
  });
});

function fanOf(count: number, options: { readonly maxConcurrent?: number }, delay?: Promise<void>): CompleteBlueprint {
  return blueprint({ name: "fan", states: ["work", "join", "done"] })
    .start("work", ({ actions }) => {
      const tasks = Array.from({ length: count }, () => ({ type: "x" }));
      const action = actions.dispatchParallel(tasks, { aggregateInto: "join", ...options });
      return delay === undefined ? action : delay.then(() => action);
    })
    .aggregator("join", ({ actions }) => actions.transitionTo("done"))
    .end("done");
}

test("what a slow handler begins while the job is paused begins when it is resumed, and once", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const bench = new JobBench(fanOf(3, { maxConcurrent: 2 }, promise));
  pause(bench);
  bench.now += 50_000;
  resolve();
  await bench.job.settled();
  expect(bench.record.status).toBe("waiting_for_parallel_tasks");
  expect(bench.offers).toEqual([]);
  bench.now += 50_000;
  resume(bench);
  expect(bench.offers.map(({ id, dispatchedAt }) => [id, dispatchedAt])).toEqual([
    ["job-1", T0 + 100_000],
    ["job-2", T0 + 100_000],
  ]);
  report(bench, "success", 2);
  expect(bench.offers.map(({ id }) => id)).toEqual(["job-1", "job-2", "job-3"]);
});

describe("pausing and resuming", () => {
  test("are in history, with who, why and how long", () => {
    const bench = of(working);
    pause(bench);
    bench.pass(100);
    resume(bench);
    expect(bench.job.events.slice(-2)).toMatchObject([
      { event_type: "job_paused", context_snapshot: { by: "ann", reason: "lunch" } },
      { event_type: "job_resumed", duration_ms: 100, context_snapshot: { by: "bob", reason: "back" } },
    ]);
    expect(bench.record.pause).toBeNull();
  });

  test("are refused where they make no sense", () => {
    const bench = of(working);
    expect(resume(bench)).toEqual({ ok: false, code: "conflict", error: "The job is not paused." });
    pause(bench);
    expect(pause(bench)).toEqual({ ok: false, code: "conflict", error: "The job is paused already, by ann." });
    resume(bench);
    bench.job.take("job-1");
    bench.job.command("ann", { do: "cancel" });
    expect(pause(bench)).toEqual({ ok: false, code: "conflict", error: "The job is being cancelled." });
    report(bench, "cancelled");
    expect(pause(bench)).toEqual({
      ok: false,
      code: "conflict",
      error: "The job is cancelled; there is nothing to pause.",
    });
  });

  test("leave the history of a job without a gap", () => {
    const bench = of(working);
    pause(bench);
    resume(bench);
    expect(bench.job.events.map((event) => event.seq)).toEqual([1, 2, 3, 4, 5]);
  });
});
