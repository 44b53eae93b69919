import { blueprint, type CompleteBlueprint, type TaskRequest } from "batuta";
import { describe, expect, test } from "vitest";
import { JobBench } from "../../support/job-bench.ts";
import { oneState, T0 } from "../../support/job-builders.ts";

type Transitions = Readonly<Record<string, "late" | "sad" | "done">>;

function working(task: Partial<TaskRequest>, transitions: Transitions): CompleteBlueprint {
  return oneState().start("work", ({ actions }) => actions.dispatchTask({ type: "x", ...task, transitions }));
}

function nesting(timeoutSeconds: number, transitions: Transitions): CompleteBlueprint {
  return oneState().start("work", ({ actions }) =>
    actions.runBlueprint({ blueprint: "kid", timeoutSeconds, transitions }),
  );
}

const EXECUTION = "Worker task timed out. It ran longer than 7 s.";
const DISPATCH = "Worker task timed out while waiting in queue (dispatch timeout): no worker took it within 7 s.";
const RESULT = "Worker task timed out: there was no result within 7 s (result deadline).";
const CHILD = "Child job timed out: it did not end within 7 s.";

interface Limit {
  readonly text: string;
  readonly of: (transitions: Transitions) => CompleteBlueprint;
  readonly taken: boolean;
}

const LIMITS: readonly (readonly [name: string, limit: Limit])[] = [
  ["a worker may have it", { text: EXECUTION, of: (to) => working({ timeoutSeconds: 7 }, to), taken: true }],
  [
    "it may wait for a worker",
    { text: DISPATCH, of: (to) => working({ dispatchTimeoutSeconds: 7 }, to), taken: false },
  ],
  ["it may take in all", { text: RESULT, of: (to) => working({ resultTimeoutSeconds: 7 }, to), taken: true }],
  ["a child may run", { text: CHILD, of: (to) => nesting(7, to), taken: false }],
];

describe.each(LIMITS)("the time that %s", (_, { text, of, taken }) => {
  const late = (transitions: Transitions) => {
    const bench = new JobBench(of(transitions));
    if (taken) bench.job.take("job-1");
    bench.pass(6_999);
    expect(bench.record.status).toMatch(/^waiting_for_(worker|sub_job)$/);
    expect(bench.job.nextAt).toBe(T0 + 7_000);
    bench.pass(1);
    return bench;
  };

  test("fails the job when it is over, and is never tried again", () => {
    expect(late({ success: "done" }).record).toMatchObject({ status: "failed", state: "work", error: text });
  });

  test("leads where the blueprint says for a timeout, else where it says for failures", () => {
    expect(late({ timeout: "late", failure: "sad" }).record).toMatchObject({ state: "late", status: "failed" });
    expect(late({ failure: "sad" }).record).toMatchObject({ state: "sad", error: `TIMEOUT_ERROR: ${text}` });
  });

  test("says in history and in state_history what it was", () => {
    const { job, record } = late({ timeout: "late" });
    expect(job.events.find((event) => event.event_type === "task_finished")).toMatchObject({
      attempt_number: 1,
      error: `TIMEOUT_ERROR: ${text}`,
    });
    expect(record.stateHistory).toHaveProperty("task_error.message", text);
  });

  test("is over for whoever still does the work: it is called back, and its answer comes too late", () => {
    const bench = late({ timeout: "late" });
    const child = bench.offers[0]?.child === null ? null : "job-1";
    const stops = bench.record.notices.filter((notice) => notice.kind === "cancel_child");
    expect(stops).toEqual(child === null ? [] : [{ kind: "cancel_child", jobId: child }]);
    expect(bench.releases.map((task) => task.id)).toEqual(child === null ? ["job-1"] : []);
    const before = bench.record;
    expect(bench.job.report({ taskId: "job-1", workerId: "w", outcome: { status: "success" } }).status).toBe("ignored");
    expect(bench.job.childEnded("job-1", { status: "finished", state: "x", result: 1, error: null })).toBe(false);
    expect(bench.record).toBe(before);
  });
});

describe("a task's limits", () => {
  test("end the wait for a worker once one has the task", () => {
    const bench = new JobBench(working({ dispatchTimeoutSeconds: 7 }, {}));
    bench.pass(6_000);
    bench.job.take("job-1");
    bench.pass(100_000);
    expect(bench.record.status).toBe("waiting_for_worker");
  });

  test("give each attempt the same time to be taken and to run, but the result a time of its own", () => {
    const limits = { dispatchTimeoutSeconds: 5, timeoutSeconds: 5, resultTimeoutSeconds: 12 };
    const bench = new JobBench(working({ ...limits, retry: { initialMs: 0 } }, {}));
    const fail = () => {
      bench.pass(4_000);
      bench.job.take("job-1");
      bench.pass(4_000);
      bench.job.report({ taskId: "job-1", workerId: "w", outcome: { status: "failure" } });
      bench.pass(0);
    };
    fail();
    expect(bench.record.task).toMatchObject({ attempt: 2, dispatchBy: T0 + 13_000, resultBy: T0 + 12_000 });
    fail();
    expect(bench.record).toMatchObject({ status: "failed", error: expect.stringContaining("within 12 s (result") });
  });

  test("count a result's time on while the next attempt is still to come", () => {
    const bench = new JobBench(working({ resultTimeoutSeconds: 1, retry: { initialMs: 60_000 } }, {}));
    bench.job.report({ taskId: "job-1", workerId: "w", outcome: { status: "failure" } });
    bench.pass(1_000);
    expect(bench.record).toMatchObject({ status: "failed", error: expect.stringContaining("result deadline") });
    expect(bench.releases).toEqual([]);
    // Its next attempt had not gone out.
    expect(bench.job.events.findLast(({ event_type }) => event_type === "task_finished")?.duration_ms).toBe(0);
  });

  test("are what the job's client said where the task says nothing", () => {
    const over = { dispatchTimeoutSeconds: 7, resultTimeoutSeconds: 9 };
    expect(new JobBench(working({}, {}), over).record.task).toMatchObject({
      dispatchBy: T0 + 7_000,
      resultBy: T0 + 9_000,
      request: over,
    });
    const own = { dispatchTimeoutSeconds: 70, resultTimeoutSeconds: 90 };
    expect(new JobBench(working(own, {}), over).record.task?.request).toMatchObject(own);
  });

  test("are the deployment's for the run of one attempt", () => {
    const bench = new JobBench(working({}, {}), { settings: { taskTimeoutMs: 3_000 } });
    bench.job.take("job-1");
    bench.pass(3_000);
    expect(bench.record.error).toBe("Worker task timed out. It ran longer than 3 s.");
  });
});

describe("a wait", () => {
  const approval = (transitions: Transitions) =>
    oneState().start("work", ({ actions }) =>
      actions.awaitHumanApproval({
        message: "Publish?",
        timeoutSeconds: 60,
        transitions: { approved: "done", ...transitions },
      }),
    );
  const event = (timeout: { timeout?: "late" }) =>
    oneState().start("work", ({ actions }) =>
      actions.waitFor({ event: "paid", timeoutSeconds: 60, transitions: { received: "done", ...timeout } }),
    );

  test.each([
    ["for people", approval, "Human approval timed out: nobody decided within 60 s. (Publish?)"],
    ["for an event", event, "Waiting for event 'paid' timed out after 60 s."],
  ])("%s that has an end fails the job there, or leads on", (_, of, error) => {
    const bench = new JobBench(of({}));
    bench.pass(59_999);
    expect(bench.record.wait).not.toBeNull();
    bench.pass(1);
    expect(bench.record).toMatchObject({ status: "failed", state: "work", error, wait: null });
    expect(bench.job.events.filter((each) => each.event_type === "timed_out")).toMatchObject([{ error }]);
    const led = new JobBench(of({ timeout: "late" }));
    led.pass(60_000);
    expect(led.record).toMatchObject({ state: "late", error });
  });
});

describe("the time of a whole job", () => {
  const timed = (timeout: { seconds: number; to?: "late" }) =>
    blueprint({ name: "timed", states: ["work", "join", "late", "done"], timeout })
      .start("work", ({ actions }) =>
        actions.runParallel([{ blueprint: "kid" }, { blueprint: "kid" }], { aggregateInto: "join" }),
      )
      .aggregator("join", () => {
        throw new Error("broken");
      })
      .end("late", { failure: true })
      .end("done");
  const ERROR = "Job timed out: it did not end within 90 s.";

  test("fails it when it is over, and lets go what is under way", () => {
    const bench = new JobBench(timed({ seconds: 90 }));
    bench.pass(90_000);
    expect(bench.record).toMatchObject({ status: "failed", state: "work", error: ERROR, fanOut: null });
    expect(bench.record.notices).toEqual([
      { kind: "cancel_child", jobId: "job-1" },
      { kind: "cancel_child", jobId: "job-2" },
    ]);
  });

  test("leads where the blueprint says, once", () => {
    const bench = new JobBench(timed({ seconds: 90, to: "late" }));
    bench.pass(90_000);
    expect(bench.record).toMatchObject({ state: "late", error: ERROR, deadlineAt: null });
  });

  test("keeps the results for an aggregator that is still to succeed", () => {
    const bench = new JobBench(timed({ seconds: 90 }), { settings: { maxRetries: 9 } });
    const outcome = { status: "finished", state: "x", result: 1, error: null } as const;
    for (const id of ["job-1", "job-2"]) bench.job.childEnded(id, outcome);
    expect(bench.record.status).toBe("awaiting_retry");
    bench.pass(90_000);
    expect(bench.record).toMatchObject({ status: "failed", state: "join", error: ERROR, fanOut: { total: 2 } });
    expect(bench.job.command("ann", { do: "retry" })).toMatchObject({ ok: true });
  });

  test("begins when the job does, and begins anew when it is retried", () => {
    const bench = new JobBench(timed({ seconds: 90 }), { startAt: T0 + 10_000 });
    expect(bench.record.deadlineAt).toBe(T0 + 100_000);
    bench.pass(100_000);
    bench.job.command("ann", { do: "retry" });
    expect(bench.record.deadlineAt).toBe(T0 + 190_000);
  });

  test("is for a child no longer than for its parent", () => {
    expect(new JobBench(timed({ seconds: 90 }), { deadlineAt: T0 + 5_000 }).record.deadlineAt).toBe(T0 + 5_000);
    expect(new JobBench(timed({ seconds: 90 }), { deadlineAt: T0 + 95_000 }).record.deadlineAt).toBe(T0 + 90_000);
  });
});
