import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { undeliverable } from "../../../worker-sdk/src/results/result-posting.ts";
import { aTask, connectionRefused, HEARTBEAT, problem, RESULT } from "./support/fake-orchestrator.ts";
import { pass, settle, workerBench } from "./support/worker-bench.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("results by HTTP", () => {
  it("are tried again with growing delays", async () => {
    const { worker, orchestrator } = workerBench({ websockets: false });
    orchestrator.answerNext(
      RESULT,
      problem(503, "away"),
      connectionRefused,
      problem(500, "oops"),
      problem(502, "proxy"),
    );
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    orchestrator.offer(aTask());
    await pass(15_000);
    const posts = orchestrator.to(RESULT).map(({ at }) => at);
    expect(posts.map((at) => at - (posts[0] ?? 0))).toEqual([0, 750, 2_250, 5_250, 11_250]);
    await worker.stop();
    await running;
  });

  it("pause after five attempts, which is said, and are tried again for as long as the worker lives", async () => {
    const { worker, orchestrator, log } = workerBench({ websockets: false });
    orchestrator.answerNext(RESULT, ...Array.from({ length: 12 }, () => problem(500, "oops")));
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    orchestrator.offer(aTask({ task_id: "t" }));
    await pass(30_000);
    expect(orchestrator.to(RESULT)).toHaveLength(5);
    expect(log).toContainEqual(
      expect.objectContaining({ level: "error", event: "result.not_delivered", task_id: "t", error: "HTTP 500: oops" }),
    );
    await pass(600_000);
    expect(orchestrator.to(RESULT)).toHaveLength(13);
    const gaps = orchestrator.to(RESULT).map(({ at }, index, all) => at - (all[index - 1]?.at ?? at));
    expect([gaps[5], gaps[10]]).toEqual([45_000, 90_000]);
    await worker.stop();
    await running;
  });

  it("are tried at once when the orchestrator is heard of again after an outage", async () => {
    const { worker, orchestrator } = workerBench({ websockets: false });
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    orchestrator.offer(aTask());
    orchestrator.answerNext(RESULT, ...Array.from({ length: 5 }, () => connectionRefused));
    orchestrator.answerNext(HEARTBEAT, connectionRefused);
    await pass(15_000);
    expect(orchestrator.to(RESULT)).toHaveLength(5);
    await pass(200);
    expect(orchestrator.to(RESULT)).toHaveLength(6);
    await worker.stop();
    await running;
  });

  it("that are refused for good become a failure the job can learn of", async () => {
    const { worker, orchestrator } = workerBench({ websockets: false });
    orchestrator.answerNext(RESULT, problem(413, "Payload Too Large"));
    worker.task("work", () => "much");
    const running = worker.run({ handleSignals: false });
    orchestrator.offer(aTask());
    await settle();
    expect(orchestrator.results.map(({ result }) => result)).toEqual([
      { status: "success", data: "much" },
      {
        status: "failure",
        error: {
          code: "PERMANENT_ERROR",
          message: "The result of the task could not be handed over: HTTP 413: Payload Too Large",
        },
      },
    ]);
    await worker.stop();
    await running;
  });

  it("become one without what was said of files, which may be what is wrong with them", () => {
    const data_metadata = { file: { uri: "s3://a/f", size: 1 } };
    const report = { job_id: "j", task_id: "t", attempt: 1, lease: "l", result: { status: "success" }, data_metadata };
    const failed = undeliverable(report, { message: "HTTP 413", retryable: false });
    expect(failed).toMatchObject({ job_id: "j", attempt: 1, lease: "l", result: { status: "failure" } });
    expect(Object.keys(failed)).not.toContain("data_metadata");
  });

  it("that no credential opens the door for are tried again later: it may be a slip of the operators", async () => {
    const { worker, orchestrator, log } = workerBench({ websockets: false });
    orchestrator.answerNext(RESULT, problem(403, "not yours"));
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    orchestrator.offer(aTask());
    await pass(40_000);
    expect(orchestrator.to(RESULT)).toHaveLength(1);
    await pass(20_000);
    expect(orchestrator.to(RESULT)).toHaveLength(2);
    expect(log.map(({ event }) => event)).toContain("result.not_delivered");
    await worker.stop();
    await running;
  });

  it("that changed nothing are noted with the reason", async () => {
    const { worker, orchestrator, log } = workerBench({ websockets: false });
    orchestrator.answerNext(RESULT, () => Response.json({ status: "ignored", reason: "stale_task" }));
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    orchestrator.offer(aTask({ task_id: "t" }));
    await settle();
    expect(log).toContainEqual({ level: "warn", event: "result.ignored", task_id: "t", reason: "stale_task" });
    await worker.stop();
    await running;
  });
});
