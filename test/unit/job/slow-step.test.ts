import { blueprint } from "batuta";
import { describe, expect, test } from "vitest";
import { JobBench } from "../../support/job-bench.ts";

/** A job whose first handler answers when it is told to, and the way to tell it. */
function slow() {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const bp = blueprint({ name: "slow", states: ["work", "next", "done"], timeout: { seconds: 60, to: "next" } })
    .start("work", ({ actions }) => promise.then(() => actions.transitionTo("done", { by: "work" })))
    .handler("next", ({ actions }) => actions.sleep({ seconds: 3_600, to: "done", stateHistory: { by: "next" } }))
    .end("done");
  const bench = new JobBench(bp);
  const settle = async (error?: Error) => {
    if (error === undefined) resolve();
    else reject(error);
    await bench.job.settled();
  };
  return { bench, settle };
}

describe("while a handler takes its time", () => {
  test("the job is running, and no time brings the step on", async () => {
    const { bench, settle } = slow();
    bench.pass(10_000);
    expect(bench.record).toMatchObject({ status: "running", state: "work" });
    await settle();
    expect(bench.record).toMatchObject({ status: "finished", result: { by: "work" } });
  });

  test("people may patch the job, and the handler's answer adds to that", async () => {
    const { bench, settle } = slow();
    bench.job.command("ann", { do: "patch", stateHistory: { patched: true }, reason: "r" });
    bench.job.command("ann", { do: "event", name: "early", data: 1 });
    await settle();
    expect(bench.record).toMatchObject({ status: "finished", result: { by: "work", patched: true } });
    expect(bench.record.mailbox).toHaveLength(1);
    expect(bench.job.events.filter((event) => event.event_type === "state_started")).toHaveLength(2);
  });

  test("a cancel ends the job, and what the handler decides comes too late", async () => {
    const { bench, settle } = slow();
    expect(bench.job.command("ann", { do: "cancel" })).toEqual({ ok: true, status: "cancelled" });
    const before = bench.record;
    await settle();
    expect(bench.record).toBe(before);
  });

  test("a move begins the other state at once, and what the handler decides comes too late", async () => {
    const { bench, settle } = slow();
    bench.now += 1;
    bench.job.command("ann", { do: "move", state: "next", reason: "r" });
    expect(bench.record).toMatchObject({ status: "waiting_for_event", state: "next" });
    await settle();
    expect(bench.record).toMatchObject({ status: "waiting_for_event", stateHistory: { by: "next" } });
  });

  test("the job's own time may be over", async () => {
    const { bench, settle } = slow();
    bench.pass(60_000);
    expect(bench.record).toMatchObject({ status: "waiting_for_event", state: "next" });
    await settle();
    expect(bench.record.state).toBe("next");
  });

  test("a pause lets it decide, and holds the job in the state it decided for", async () => {
    const { bench, settle } = slow();
    bench.job.command("ann", { do: "pause", reason: "r" });
    await settle();
    expect(bench.record).toMatchObject({ status: "running", state: "done" });
    bench.job.command("ann", { do: "resume", reason: "r" });
    expect(bench.record.status).toBe("finished");
  });

  test("a pause and its end do not begin the step a second time", async () => {
    const { bench, settle } = slow();
    bench.job.command("ann", { do: "pause", reason: "r" });
    bench.job.command("ann", { do: "resume", reason: "r" });
    bench.pass(10_000);
    await settle();
    expect(
      bench.job.events.filter(({ event_type, state }) => event_type === "state_started" && state === "work"),
    ).toHaveLength(1);
    expect(bench.record.status).toBe("finished");
  });

  test("a failure during a pause rests as long as ever, from when the job is resumed", async () => {
    const { bench, settle } = slow();
    bench.job.command("ann", { do: "pause", reason: "r" });
    bench.now += 50_000;
    await settle(new Error("broken"));
    bench.now += 50_000;
    bench.job.command("ann", { do: "resume", reason: "r" });
    expect(bench.record).toMatchObject({ status: "awaiting_retry", error: "broken", wakeAt: bench.now + 500 });
  });
});
