import { blueprint, type CompleteBlueprint } from "batuta";
import { describe, expect, test } from "vitest";
import { narrowCancel } from "../../../src/job/cancel.ts";
import { JobBench } from "../../support/job-bench.ts";
import { cancellingJob, oneState, surroundings, T0, waitingJob } from "../../support/job-builders.ts";

type Start = Parameters<ReturnType<typeof oneState>["start"]>[1];
type Options = ConstructorParameters<typeof JobBench>[1];

const working: Start = ({ actions }) => actions.dispatchTask({ type: "x", transitions: { success: "done" } });

function of(start: Start, options: Options = {}): JobBench {
  return new JobBench(oneState().start("work", start), options);
}

function cancel(bench: JobBench, reason?: string) {
  return bench.job.command("ann", { do: "cancel", reason });
}

function report(bench: JobBench, status: string, number = 1) {
  return bench.job.report({ taskId: `job-${number}`, workerId: "w", outcome: { status } }).status;
}

function workingFor(bench: JobBench, ...numbers: readonly number[]): JobBench {
  for (const number of numbers) bench.job.take(`job-${number}`);
  return bench;
}

const CANCELLED = { status: "cancelled", error: "The job was cancelled by ann." };

describe("a cancel ends at once a job", () => {
  test.each<[string, Start, Options?]>([
    ["that has not begun", working, { startAt: T0 + 60_000 }],
    ["whose task no worker has", working],
    ["that sleeps", ({ actions }) => actions.sleep({ seconds: 60, to: "done" })],
    [
      "that waits for people",
      ({ actions }) => actions.awaitHumanApproval({ message: "?", transitions: { approved: "done" } }),
    ],
    ["that waits for an event", ({ actions }) => actions.waitFor({ event: "paid", transitions: { received: "done" } })],
    [
      "whose handler is to be tried again",
      () => {
        throw new Error("broken");
      },
    ],
  ])("%s", (_, start, options) => {
    const bench = of(start, options);
    expect(cancel(bench)).toEqual({ ok: true, status: "cancelled" });
    expect(bench.record).toMatchObject({ ...CANCELLED, task: null, wait: null, wakeAt: null, deadlineAt: null });
    expect(bench.job.nextAt).toBeNull();
  });

  test("whose task rests between two attempts", () => {
    const bench = of(working);
    report(bench, "failure");
    expect(cancel(bench)).toEqual({ ok: true, status: "cancelled" });
    bench.pass(3_600_000);
    expect(bench.offers).toHaveLength(1);
  });

  test("that is paused", () => {
    const bench = of(working);
    bench.job.command("bob", { do: "pause", reason: "lunch" });
    cancel(bench);
    expect(bench.record).toMatchObject({ ...CANCELLED, pause: null });
  });

  test("and says who did it and why", () => {
    const bench = of(working);
    cancel(bench, "not needed");
    const error = "The job was cancelled by ann: not needed";
    expect(bench.record.error).toBe(error);
    expect(bench.job.events.slice(-2)).toMatchObject([
      { event_type: "cancel_requested", error },
      { event_type: "job_cancelled", error, status: "cancelled" },
    ]);
  });
});

describe("a job whose task a worker has", () => {
  test("calls it back at once, and waits for the worker's answer", () => {
    const bench = workingFor(of(working), 1);
    expect(cancel(bench)).toEqual({ ok: true, status: "waiting_for_worker" });
    expect(bench.releases.map((task) => task.id)).toEqual(["job-1"]);
    expect(bench.job.nextAt).toBe(T0 + 30_000);
    expect(report(bench, "cancelled")).toBe("result_accepted_cancelled");
    expect(bench.record).toMatchObject(CANCELLED);
  });

  test("waits no longer than the grace", () => {
    const bench = workingFor(of(working), 1);
    cancel(bench);
    bench.pass(29_999);
    expect(bench.record.status).toBe("waiting_for_worker");
    bench.pass(1);
    expect(bench.record).toMatchObject(CANCELLED);
    expect(report(bench, "success")).toBe("ignored");
  });

  test.each(["success", "failure", "perhaps"])("is cancelled whatever the worker says, such as '%s'", (status) => {
    const bench = workingFor(of(working), 1);
    cancel(bench);
    expect(report(bench, status)).toBe("result_accepted_cancelled");
    expect(bench.record).toMatchObject({ ...CANCELLED, stateHistory: {} });
  });

  test("is cancelled when the worker is lost, and offers nothing anew", () => {
    const bench = workingFor(of(working), 1);
    cancel(bench);
    bench.job.lose("job-1", 1, "worker_gone");
    expect(bench.record).toMatchObject(CANCELLED);
    expect(bench.offers).toHaveLength(1);
  });

  test("does not wait when it is told a second time", () => {
    const bench = workingFor(of(working), 1);
    cancel(bench);
    expect(cancel(bench, "now")).toEqual({ ok: true, status: "cancelled" });
    expect(bench.record.error).toBe("The job was cancelled by ann: now");
  });

  test("takes the same request once, however often it comes: it is no second cancel", () => {
    const bench = workingFor(of(working), 1);
    const again = () => bench.job.command("job:above", { do: "cancel", id: "above" });
    expect(again()).toEqual({ ok: true, status: "waiting_for_worker" });
    const before = bench.record;
    expect(again()).toEqual({ ok: true, status: "waiting_for_worker", note: "duplicate" });
    expect(bench.record).toBe(before);
    expect(cancel(bench)).toEqual({ ok: true, status: "cancelled" });
    expect(again()).toEqual({ ok: true, status: "cancelled", note: "duplicate" });
  });

  test("lets nothing else pass meanwhile", () => {
    const bench = workingFor(of(working), 1);
    cancel(bench);
    const commands = [
      { do: "pause", reason: "r" },
      { do: "resume", reason: "r" },
      { do: "move", state: "done", reason: "r" },
      { do: "retry" },
      { do: "discard" },
      { do: "decide", decision: "approved" },
    ] as const;
    const before = bench.record;
    for (const each of commands) expect(bench.job.command("bob", each)).toMatchObject({ ok: false, code: "conflict" });
    const event = { taskId: "job-1", workerId: "w", type: "x", eventId: null, payload: {}, holds: true };
    expect(bench.job.workerEvent(event)).toBe(false);
    expect(bench.record).toBe(before);
  });

  test("knows after a while who has it: nobody, and it is cancelled at once", () => {
    const around = surroundings({ now: T0 + 5 });
    const cancelling = cancellingJob({ waitsFor: null });
    expect(narrowCancel(cancelling, ["job-1"], around).cancellation?.waitsFor).toEqual(["job-1"]);
    expect(narrowCancel(cancelling, [], around)).toMatchObject(CANCELLED);
    const live = waitingJob();
    expect(narrowCancel(live, [], around)).toBe(live);
  });
});

describe("a fan-out", () => {
  const fan = (start: Parameters<ReturnType<typeof fanState>["start"]>[1]) => fanState().start("work", start);
  const fanState = () =>
    blueprint({ name: "fan", states: ["work", "join", "done"] })
      .aggregator("join", ({ actions }) => actions.transitionTo("done"))
      .end("done");
  const tasks = fan(({ actions }) =>
    actions.dispatchParallel([{ type: "x" }, { type: "y" }, { type: "z" }], { aggregateInto: "join" }),
  );
  const children: CompleteBlueprint = fan(({ actions }) =>
    actions.runParallel([{ blueprint: "a" }, { blueprint: "b" }, { blueprint: "c" }], {
      aggregateInto: "join",
      maxConcurrent: 2,
    }),
  );

  test("waits for the workers that have branches, and aggregates nothing", () => {
    const bench = workingFor(new JobBench(tasks), 1, 3);
    cancel(bench);
    expect(bench.releases.map((task) => task.id)).toEqual(["job-1", "job-2", "job-3"]);
    expect(bench.record.cancellation?.waitsFor).toEqual(["job-1", "job-3"]);
    report(bench, "success", 1);
    expect(bench.record.status).toBe("waiting_for_parallel_tasks");
    bench.job.lose("job-3", 1, "worker_gone");
    expect(bench.record).toMatchObject({ ...CANCELLED, state: "work", fanOut: null });
    expect(bench.offers).toHaveLength(3);
  });

  test("ends with its grace, however many have answered", () => {
    const bench = workingFor(new JobBench(tasks), 1, 2, 3);
    cancel(bench);
    report(bench, "failure", 2);
    bench.pass(30_000);
    expect(bench.record).toMatchObject(CANCELLED);
  });

  test("of children tells those that run, and waits for them", () => {
    const bench = new JobBench(children);
    cancel(bench);
    const stops = ["job-1", "job-2"].map((jobId) => ({ kind: "cancel_child", jobId }));
    expect(bench.record.notices).toEqual(stops);
    const ended = { status: "cancelled", state: "x", result: null, error: null } as const;
    for (const id of ["job-2", "job-1"]) bench.job.childEnded(id, ended);
    expect(bench.record).toMatchObject(CANCELLED);
    expect(bench.offers.map((task) => task.id)).toEqual(["job-1", "job-2"]);
  });
});

describe("a child", () => {
  const nesting: Start = ({ actions }) => actions.runBlueprint({ blueprint: "kid", transitions: { success: "done" } });
  const finished = { status: "finished", state: "x", result: 1, error: null } as const;

  test("is told, and its parent waits for its end: even a good one is too late", () => {
    const bench = of(nesting);
    expect(cancel(bench)).toEqual({ ok: true, status: "waiting_for_sub_job" });
    expect(bench.record.notices).toEqual([{ kind: "cancel_child", jobId: "job-1" }]);
    expect(bench.job.childEnded("job-1", finished)).toBe(true);
    expect(bench.record).toMatchObject({ ...CANCELLED, stateHistory: {} });
  });

  test("is told once, however often its parent is cancelled", () => {
    const bench = of(nesting);
    cancel(bench);
    cancel(bench);
    expect(bench.record).toMatchObject({ ...CANCELLED, notices: [{ kind: "cancel_child", jobId: "job-1" }] });
  });
});

test.each(["finished", "failed", "cancelled"] as const)("a job that is %s cannot be cancelled", (status) => {
  const ends = { finished: "done", failed: "sad", cancelled: "done" } as const;
  const bench = of(({ actions }) =>
    status === "cancelled" ? actions.sleep({ seconds: 1, to: "done" }) : actions.transitionTo(ends[status]),
  );
  if (status === "cancelled") cancel(bench);
  const before = bench.record;
  expect(cancel(bench)).toEqual({
    ok: false,
    code: "conflict",
    error: "The job has ended already; it cannot be cancelled.",
  });
  expect(bench.record).toBe(before);
});
