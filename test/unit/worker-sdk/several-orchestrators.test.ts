import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { RegistrationRefusedError, type OrchestratorMode, type Worker } from "../../../worker-sdk/src/index.ts";
import { aTask, connectionRefused, HEARTBEAT, NEXT, problem, REGISTER, RESULT } from "./support/fake-orchestrator.ts";
import { gate, pass, settle, severalBench } from "./support/worker-bench.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const accepted = "result_accepted_success" as const;

async function running(worker: Worker) {
  worker.task("work", ({ params }) => params["gate"] as object | undefined);
  const run = worker.run({ handleSignals: false });
  await settle();
  return async () => {
    const stopping = worker.stop();
    await pass(60_000);
    await stopping;
    await run;
  };
}

describe("a worker that polls several orchestrators", () => {
  const bench = (orchestratorMode: OrchestratorMode, weights?: number[]) =>
    severalBench(["a", "b"], { websockets: false, orchestratorMode, ...(weights && { weights }) });

  it("registers and sends heartbeats everywhere, and brings results back to where the task came from", async () => {
    const { worker, at } = bench("WATERFALL");
    const stop = await running(worker);
    at("b").offer(aTask({ task_id: "of-b" }));
    await pass(16_000);
    for (const name of ["a", "b"] as const) {
      expect(at(name).to(REGISTER)).toHaveLength(1);
      expect(at(name).to(HEARTBEAT).length).toBeGreaterThan(0);
    }
    expect(at("a").to(RESULT)).toEqual([]);
    expect(at("b").results).toMatchObject([{ task_id: "of-b" }]);
    await stop();
  });

  it("FAILOVER: asks the first alone; the second while the first is away; the first again once it is back", async () => {
    const { worker, at } = bench("FAILOVER");
    const stop = await running(worker);
    await pass(60_000);
    expect(at("b").to(NEXT)).toEqual([]);
    at("a").answerNext(NEXT, connectionRefused);
    at("a").answerNext(REGISTER, connectionRefused, connectionRefused);
    await pass(31_000);
    const whileAway = at("a").to(NEXT).length;
    await pass(2_000);
    expect(at("b").to(NEXT).length).toBeGreaterThan(0);
    expect(at("a").to(NEXT)).toHaveLength(whileAway);
    await pass(10_000);
    expect(at("a").to(NEXT).length).toBeGreaterThan(whileAway);
    const ofB = at("b").to(NEXT).length;
    await pass(60_000);
    expect(at("b").to(NEXT)).toHaveLength(ofB);
    await stop();
  });

  it("ROUND_ROBIN: takes turns by weight", async () => {
    const { worker, at } = bench("ROUND_ROBIN", [3, 1]);
    const stop = await running(worker);
    // Both are asked in passing before one of them is waited for.
    await pass((250 + 250 + 5_000) * 40 - 1);
    const waits = (name: "a" | "b") =>
      at(name)
        .to(NEXT)
        .filter(({ timeout }) => timeout === 5).length;
    expect([waits("a"), waits("b")]).toEqual([30, 10]);
    await stop();
  });

  it("ROUND_ROBIN: divides tasks by weight, and does not wait for one that has none", async () => {
    const { worker, at } = bench("ROUND_ROBIN", [2, 1]);
    for (let n = 0; n < 12; n++) for (const name of ["a", "b"] as const) at(name).offer(aTask());
    const stop = await running(worker);
    await settle();
    expect([at("a").results.length, at("b").results.length]).toEqual([12, 6]);
    await pass(250 * 12);
    expect(at("b").results).toHaveLength(12);
    await stop();
  });

  it("WATERFALL: asks the next one only when those before have nothing, then begins again", async () => {
    const { worker, at } = bench("WATERFALL");
    for (let n = 0; n < 3; n++) at("a").offer(aTask());
    const stop = await running(worker);
    expect([at("a").to(NEXT).length, at("b").to(NEXT).length]).toEqual([4, 0]);
    await pass(250);
    expect(at("b").to(NEXT)).toHaveLength(1);
    for (let n = 0; n < 4; n++) at("b").offer(aTask());
    await pass(1_000);
    expect(at("b").results).toHaveLength(4);
    at("a").offer(aTask());
    await pass(250);
    expect(at("a").results).toHaveLength(4);
    await stop();
  });

  it("never has more tasks than its limit", async () => {
    const { worker, at } = severalBench(["a", "b"], {
      websockets: false,
      orchestratorMode: "ROUND_ROBIN",
      maxConcurrentTasks: 2,
    });
    const end = gate();
    let most = 0;
    let now = 0;
    worker.task("slow", async () => {
      most = Math.max(most, ++now);
      await end.promise;
      now--;
    });
    const stop = await running(worker);
    for (const name of ["a", "b"] as const) for (let n = 0; n < 3; n++) at(name).offer(aTask({ type: "slow" }));
    await pass(30_000);
    expect([most, now]).toEqual([2, 2]);
    end.resolve();
    await pass(30_000);
    expect([at("a").results.length, at("b").results.length, most]).toEqual([3, 3, 2]);
    await stop();
  });

  it("works for the others when one refuses it, and is refused when all do", async () => {
    const { worker, at, log } = bench("FAILOVER");
    at("a").answerNext(REGISTER, problem(403, "not you"));
    const stop = await running(worker);
    at("b").offer(aTask());
    await pass(1_000);
    expect(at("b").results).toHaveLength(1);
    expect(log).toContainEqual(expect.objectContaining({ level: "error", event: "worker.registration_refused" }));
    await stop();

    const other = bench("FAILOVER");
    for (const name of ["a", "b"] as const) other.at(name).answerNext(REGISTER, problem(401, "who?"));
    other.worker.task("work", () => {});
    await expect(other.worker.run({ handleSignals: false })).rejects.toThrow(RegistrationRefusedError);
    await pass(120_000);
    expect(other.at("a").to(NEXT)).toEqual([]);
  });
});

describe("a worker with sockets to several orchestrators", () => {
  const slotsTold = (socket: { frames: readonly { type: string; slots?: unknown }[] }): unknown[] =>
    socket.frames.flatMap((frame) => (frame.slots === undefined ? [] : [frame.slots]));

  it("FAILOVER: the second gets slots only while the first is away", async () => {
    const { worker, socketTo } = severalBench(["a", "b"], { orchestratorMode: "FAILOVER", maxConcurrentTasks: 4 });
    const stop = await running(worker);
    for (const name of ["b", "a"] as const) socketTo(name).welcome();
    await pass(60_000);
    const [first, second] = [socketTo("a"), socketTo("b")];
    expect([slotsTold(first), slotsTold(second)]).toEqual([[4], [0]]);
    first.drop();
    expect(slotsTold(second)).toEqual([0]);
    await settle();
    expect(slotsTold(second)).toEqual([0, 4]);
    await pass(500);
    socketTo("a").welcome();
    expect([slotsTold(socketTo("a")), slotsTold(second)]).toEqual([
      [0, 4],
      [0, 4, 0],
    ]);
    await stop();
  });

  it("FAILOVER: takes none for away whose socket works, while HTTP has no door for a large result, which is kept", async () => {
    const { worker, at, socketTo } = severalBench(["a", "b"], { orchestratorMode: "FAILOVER" });
    const stop = await running(worker);
    for (const name of ["a", "b"] as const) socketTo(name).welcome();
    const refusals = [problem(404, "no such route"), ...Array.from({ length: 5 }, () => connectionRefused)];
    at("a").answerNext(RESULT, ...refusals);
    socketTo("a").receive({ type: "task", task: aTask({ params: { gate: "x".repeat(300_000) } }) });
    await pass(240_000);
    expect([socketTo("a").of("result"), socketTo("a").of("state")]).toEqual([[], []]);
    expect(at("a").results.map(({ result }) => result.status)).toEqual(Array.from({ length: 7 }, () => "success"));
    await stop();
  });

  it("ROUND_ROBIN: shares the slots; one that stays quiet leaves all but one to the other; an idle worker says nothing", async () => {
    const { worker, socketTo } = severalBench(["a", "b"], { orchestratorMode: "ROUND_ROBIN", maxConcurrentTasks: 4 });
    const end = gate();
    worker.task("slow", () => end.promise);
    const stop = await running(worker);
    const [a, b] = [socketTo("a"), socketTo("b")];
    a.welcome();
    b.welcome();
    await pass(600_000);
    expect([slotsTold(a), slotsTold(b)]).toEqual([[2], [2]]);
    const tasks = [1, 2, 3].map(() => aTask({ type: "slow" }));
    for (const task of tasks.slice(0, 2)) a.receive({ type: "task", task });
    expect([slotsTold(a), slotsTold(b)]).toEqual([
      [2, 3],
      [2, 1],
    ]);
    for (const task of tasks.slice(2)) a.receive({ type: "task", task });
    b.receive({ type: "task", task: aTask({ type: "slow" }) });
    expect([slotsTold(a).at(-1), slotsTold(b).at(-1)]).toEqual([2, 1]);
    end.resolve();
    await settle();
    expect([slotsTold(a).at(-1), slotsTold(b).at(-1)]).toEqual([2, 2]);
    for (const { task_id } of tasks) a.receive({ type: "result_ack", task_id, status: accepted });
    await stop();
  });

  it("WATERFALL: the second may push what the first leaves free, until the first has tasks again", async () => {
    const { worker, socketTo } = severalBench(["a", "b"], { orchestratorMode: "WATERFALL", maxConcurrentTasks: 4 });
    worker.task("slow", () => gate().promise);
    const stop = await running(worker);
    const [a, b] = [socketTo("a"), socketTo("b")];
    a.welcome();
    b.welcome();
    expect([slotsTold(a), slotsTold(b)]).toEqual([[4], [0]]);
    await pass(1_000);
    expect([slotsTold(a).at(-1), slotsTold(b).at(-1)]).toEqual([1, 3]);
    await pass(1_000);
    expect([slotsTold(a).at(-1), slotsTold(b).at(-1)]).toEqual([3, 1]);
    b.receive({ type: "task", task: aTask({ type: "slow" }) });
    expect([slotsTold(a).at(-1), slotsTold(b).at(-1)]).toEqual([1, 3]);
    a.receive({ type: "task", task: aTask({ type: "slow" }) });
    expect([slotsTold(a).at(-1), slotsTold(b).at(-1)]).toEqual([3, 0]);
    await stop();
  });
});
