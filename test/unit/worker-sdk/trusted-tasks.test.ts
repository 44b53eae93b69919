import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { signedTask } from "../../../src/dispatch/signed-task.ts";
import type { TaskPayload } from "../../../worker-sdk/src/protocol/index.ts";
import { aTask } from "./support/fake-orchestrator.ts";
import { connectedBench } from "./support/worker-bench.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const SECRET = "known to both sides";

describe.each([true, false])("a worker that knows what its tasks are signed with, sockets: %s,", (websockets) => {
  /** What it reports of a task, and the handler it has. */
  async function outcomeOf(task: TaskPayload) {
    const handler = vi.fn(() => "done");
    const bench = await connectedBench({ websockets, orchestratorSecretKey: SECRET }, (worker) =>
      worker.task("work", handler),
    );
    if (websockets) {
      bench.socket.welcome();
      bench.socket.receive({ type: "task", task });
    } else {
      bench.orchestrator.offer(task);
    }
    const results = () => (websockets ? bench.socket.of("result") : bench.orchestrator.results);
    await vi.waitFor(() => expect(results()).toHaveLength(1), 10_000);
    const [report] = results();
    if (websockets) {
      const ack = { task_id: task.task_id, attempt: task.attempt, status: "result_accepted_failure" } as const;
      bench.socket.receive({ type: "result_ack", ...ack });
    }
    await bench.finish();
    return { handler, outcome: report?.result, log: bench.log };
  }

  it("does those that are signed", async () => {
    const { handler, outcome } = await outcomeOf(signedTask(aTask(), SECRET, Date.now()));
    expect(handler).toHaveBeenCalledOnce();
    expect(outcome).toMatchObject({ status: "success", data: "done" });
  });

  it.each([
    ["is not signed", aTask()],
    ["another ORCHESTRATOR_SECRET_KEY", { ...signedTask(aTask(), SECRET, 0), params: { forged: true } }],
    ["another ORCHESTRATOR_SECRET_KEY", signedTask(aTask(), "another secret", 0)],
    ["it may be a repetition", signedTask(aTask(), SECRET, 0)],
  ])("refuses one of which it finds: %s", async (flaw, task) => {
    const { handler, outcome, log } = await outcomeOf(task);
    expect(handler).not.toHaveBeenCalled();
    const error = expect.stringContaining(flaw);
    expect(outcome).toMatchObject({ status: "failure", error: { code: "SECURITY_ERROR", message: error } });
    expect(log).toContainEqual(
      expect.objectContaining({ level: "error", event: "task.not_trusted", task_id: task.task_id, error }),
    );
    expect(JSON.stringify(log)).not.toContain(SECRET);
  });
});

it("a worker without a secret does not ask", async () => {
  const bench = await connectedBench({}, (worker) => worker.task("work", () => "done"));
  bench.socket.welcome();
  const task = signedTask(aTask(), "somebody's secret", 0);
  bench.socket.receive({ type: "task", task });
  await vi.waitFor(() => expect(bench.socket.of("result")).toHaveLength(1), 10_000);
  expect(bench.socket.of("result")[0]?.result).toMatchObject({ status: "success" });
  bench.socket.receive({ type: "result_ack", task_id: task.task_id, attempt: 1, status: "result_accepted_success" });
  await bench.finish();
});
