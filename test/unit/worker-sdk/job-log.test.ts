import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { JobLogLine } from "../../../worker-sdk/src/protocol/index.ts";
import { JobLog } from "../../../worker-sdk/src/tasks/job-log.ts";
import { aTask, connectionRefused, LOG, problem } from "./support/fake-orchestrator.ts";
import { connectedBench, pass, settle, workerBench } from "./support/worker-bench.ts";

beforeEach(() => void vi.useFakeTimers().setSystemTime(1_000_000));
afterEach(() => void vi.useRealTimers());

function logBench({ away = false } = {}) {
  const batches: JobLogLine[][] = [];
  const state = { away };
  const log = new JobLog(async (lines) => {
    if (!state.away) batches.push(lines);
    return !state.away;
  });
  return { log, batches, state, texts: () => batches.map((lines) => lines.map(({ message }) => message)) };
}

describe("the log of a job", () => {
  it("gathers lines for a second", async () => {
    const { log, batches } = logBench();
    log.info("began", { file: "a.png" });
    await pass(500);
    log.warn("large");
    await pass(499);
    expect(batches).toEqual([]);
    await pass(1);
    expect(batches).toEqual([
      [
        { at: 1_000_000, level: "info", message: "began", fields: { file: "a.png" } },
        { at: 1_000_500, level: "warn", message: "large" },
      ],
    ]);
    log.debug("d");
    log.error("e");
    await pass(1_000);
    expect(batches[1]?.map(({ level }) => level)).toEqual(["debug", "error"]);
    await pass(60_000);
    expect(batches).toHaveLength(2);
  });

  it("gives lines of one millisecond an order, also over messages and when the clock is set back", async () => {
    const { log, batches } = logBench();
    for (let n = 0; n < 60; n++) log.info(String(n));
    vi.setSystemTime(999_000);
    log.info("earlier");
    await pass(2_000);
    const times = batches.flat().map(({ at }) => at);
    expect(times).toHaveLength(61);
    expect(times.slice(0, 3)).toEqual([1_000_000, 1_000_000.001, 1_000_000.002]);
    expect(times).toEqual([...new Set(times)].toSorted((a, b) => a - b));
  });

  it("sends 50 lines without waiting for the second, at most ten times a second", async () => {
    const { log, texts } = logBench();
    for (let n = 0; n < 120; n++) log.info(String(n));
    await pass(100);
    expect(texts().map((lines) => lines.length)).toEqual([50]);
    await pass(100);
    expect(texts().map((lines) => lines.length)).toEqual([50, 50]);
    await pass(999);
    expect(texts()).toHaveLength(2);
    await pass(1);
    expect(texts().flat()).toEqual(Array.from({ length: 120 }, (_, n) => String(n)));
  });

  it("keeps the newest lines while nothing can be sent, and says how many are lost", async () => {
    const { log, texts, state } = logBench({ away: true });
    for (let n = 0; n < 1_003; n++) log.info(String(n));
    await pass(10_000);
    expect(texts()).toEqual([]);
    state.away = false;
    await pass(10_000);
    const [first, ...rest] = texts().flat();
    expect(first).toBe("3 earlier lines could not be sent.");
    expect(rest).toEqual(Array.from({ length: 1_000 }, (_, n) => String(n + 3)));
  });

  it("cuts texts and leaves out facts that are too large or no JSON", async () => {
    const { log, batches } = logBench();
    log.info("x".repeat(2_000), { text: "y".repeat(5_000) });
    log.info("n", { big: 1n });
    await pass(1_000);
    expect(batches[0]?.map(({ message, fields }) => [message.length, fields?.["omitted"]])).toEqual([
      [1_000, "The fields of this line are 5011 characters as JSON; 4,000 are sent."],
      [1, "The fields of this line are not JSON."],
    ]);
  });

  it("sends what is left when the task ends, and nothing afterwards", async () => {
    const { log, texts } = logBench();
    for (let n = 0; n < 60; n++) log.info(String(n));
    await log.finish();
    log.info("late");
    await pass(5_000);
    expect(texts().map((lines) => lines.length)).toEqual([50, 10]);
  });

  it("does not wait at the end for what cannot be sent", async () => {
    const { log, texts } = logBench({ away: true });
    log.info("lost");
    await log.finish();
    expect(texts()).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("tries no longer to send what nobody wants to read any more", async () => {
    const { log, texts } = logBench({ away: true });
    log.info("lost");
    log.discard();
    await settle();
    expect([texts(), vi.getTimerCount()]).toEqual([[], 0]);
  });
});

describe("log lines of a task", () => {
  it("go over the socket, before the result", async () => {
    const bench = await connectedBench({}, (worker) =>
      worker.task("work", ({ log }) => log.info("half way", { n: 1 })),
    );
    bench.socket.welcome();
    const task = aTask();
    bench.socket.receive({ type: "task", task });
    await settle();
    expect(bench.socket.frames.map(({ type }) => type)).toEqual(["hello", "log", "result"]);
    expect(bench.socket.of("log")).toEqual([
      {
        type: "log",
        job_id: task.job_id,
        task_id: task.task_id,
        lines: [{ at: 1_000_000, level: "info", message: "half way", fields: { n: 1 } }],
      },
    ]);
    await bench.finish();
  });

  it("are posted by a polling worker, and again when that failed for now", async () => {
    const { worker, orchestrator } = workerBench({ websockets: false });
    worker.task("work", async ({ log, signal }) => {
      log.info("half way");
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    });
    orchestrator.answerNext(LOG, connectionRefused, problem(413, "Too large"));
    const running = worker.run({ handleSignals: false });
    orchestrator.offer(aTask({ task_id: "t" }));
    await pass(5_000);
    const posted = { worker_id: "worker-1", task_id: "t", lines: [{ message: "half way" }] };
    expect(orchestrator.to(LOG).map(({ body }) => body)).toMatchObject([posted, posted]);
    const stopping = worker.stop();
    await pass(60_000);
    await stopping;
    await running;
  });
});
