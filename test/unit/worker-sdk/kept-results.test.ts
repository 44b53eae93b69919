import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { memorySpool, type KeptResult, type ResultSpool } from "../../../worker-sdk/src/results/result-spool.ts";
import { aTask, problem, RESULT } from "./support/fake-orchestrator.ts";
import { connectedBench, pass, settle, workerBench } from "./support/worker-bench.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const HERE = "http://localhost:8080";

/** A spool that remembers in memory what a disk would. */
class TestSpool implements ResultSpool {
  readonly kept: Set<KeptResult>;

  constructor(...kept: KeptResult[]) {
    this.kept = new Set(kept);
  }

  get tasks(): string[] {
    return [...this.kept].map(({ report }) => report.task_id);
  }

  readonly open = async () => [...this.kept];
  readonly keep = (result: KeptResult) => void this.kept.add(result);
  readonly release = (result: KeptResult) => void this.kept.delete(result);
  readonly settled = () => Promise.resolve();
}

function left(task_id: string, orchestrator = HERE): KeptResult {
  const report = { job_id: "j", task_id, worker_id: "worker-1", attempt: 2, lease: "l", result: { status: "success" } };
  return { orchestrator, report };
}

describe("results that are kept", () => {
  it("are there from the end of the task to the acknowledgement over a socket", async () => {
    const spool = new TestSpool();
    const bench = await connectedBench({}, (worker) => worker.task("work", () => {}), { openSpool: () => spool });
    bench.socket.welcome();
    for (const task_id of ["a", "b"]) bench.socket.receive({ type: "task", task: aTask({ task_id }) });
    await settle();
    expect(spool.tasks).toEqual(["a", "b"]);
    bench.socket.receive({ type: "result_ack", task_id: "a", attempt: 1, status: "result_accepted_success" });
    expect(spool.tasks).toEqual(["b"]);
    bench.socket.receive({ type: "result_ack", task_id: "b", attempt: 1, status: "ignored", reason: "stale_task" });
    expect(spool.tasks).toEqual([]);
    await bench.finish();
  });

  it("of an earlier run are claimed and sent over a new socket; those of an unknown orchestrator stay", async () => {
    const spool = new TestSpool(left("a"), left("far", "https://elsewhere.example.com"));
    const bench = await connectedBench({}, (worker) => worker.task("work", () => {}), { openSpool: () => spool });
    bench.socket.welcome("a");
    expect(bench.socket.of("hello")[0]?.current_tasks).toEqual([{ job_id: "j", task_id: "a", attempt: 2, lease: "l" }]);
    expect(bench.socket.of("result")).toEqual([{ type: "result", ...left("a").report }]);
    bench.socket.receive({ type: "result_ack", task_id: "a", attempt: 2, status: "result_accepted_success" });
    expect(spool.tasks).toEqual(["far"]);
    expect(bench.log.map(({ event }) => event)).toContain("spool.orchestrator_unknown");
    await bench.finish();
  });

  it("of an earlier run are posted by a worker that polls; what is refused for good becomes a failure", async () => {
    const spool = new TestSpool(left("a"), left("b"));
    const { worker, orchestrator } = workerBench({ websockets: false }, { openSpool: () => spool });
    orchestrator.answerNext(RESULT, problem(413, "Payload Too Large"));
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    await settle();
    expect(orchestrator.results.map(({ task_id, result }) => [task_id, result.status])).toEqual([
      ["a", "success"],
      ["b", "success"],
      ["a", "failure"],
    ]);
    expect(spool.tasks).toEqual([]);
    await worker.stop();
    await running;
  });

  it("stay when the worker stops while its orchestrator is away", async () => {
    const spool = new TestSpool();
    const { worker, orchestrator } = workerBench({ websockets: false }, { openSpool: () => spool });
    orchestrator.answerNext(RESULT, ...Array.from({ length: 9 }, () => problem(503, "away")));
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    orchestrator.offer(aTask({ task_id: "a" }));
    await settle();
    const stopping = worker.stop();
    await pass(10_000);
    await stopping;
    await running;
    expect(spool.tasks).toEqual(["a"]);
  });

  it("are few enough in the first words on a socket", async () => {
    const spool = new TestSpool(...Array.from({ length: 500 }, (_, n) => left(`t${n}`)));
    const bench = await connectedBench({}, (worker) => worker.task("work", () => {}), { openSpool: () => spool });
    bench.socket.welcome();
    expect(bench.socket.of("hello")[0]?.current_tasks).toHaveLength(64);
    expect(bench.socket.of("result")).toHaveLength(500);
    await bench.finish();
  });

  it("are nowhere but in the worker where there is no file system", async () => {
    expect(await memorySpool.open()).toEqual([]);
  });
});
