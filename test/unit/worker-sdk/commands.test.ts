import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { WorkerCommand } from "../../../worker-sdk/src/index.ts";
import { connectedBench, pass, settle, workerBench } from "./support/worker-bench.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

async function welcomedBench(
  handlers: Readonly<Record<string, (command: WorkerCommand) => void | Promise<void>>> = {},
) {
  const bench = await connectedBench({}, (worker) => {
    worker.task("work", () => {});
    for (const [name, handler] of Object.entries(handlers)) worker.onCommand(name, handler);
  });
  bench.socket.welcome();
  return bench;
}

describe("a command", () => {
  it("to drain makes the worker take nothing new, until it is taken back", async () => {
    const bench = await welcomedBench();
    bench.socket.receive({ type: "drain", command: "drain", deadline: 1_800_000_000 });
    await settle();
    expect(bench.socket.of("state")).toEqual([{ type: "state", status: "draining" }]);
    bench.socket.receive({ type: "command", command: "undrain" });
    await settle();
    expect(bench.socket.of("state")[1]).toEqual({ type: "state", status: "idle" });
    await bench.finish();
  });

  it("to update stops the worker gracefully, so that the new version can be started", async () => {
    const bench = await welcomedBench();
    bench.socket.receive({ type: "update", command: "update", version: "2" });
    await pass(1_000);
    await bench.running;
    expect(bench.socket.closedWith).toMatchObject({ code: 1000 });
  });

  it("goes to the handler that was named, in place of what is built in", async () => {
    const taken: WorkerCommand[] = [];
    const take = (command: WorkerCommand) => void taken.push(command);
    const bench = await welcomedBench({ drain: take, update: take, reload: take });
    bench.socket.receive({ type: "drain", command: "drain", deadline: 1_800_000_000 });
    bench.socket.receive({ type: "update", command: "update", version: "2" });
    bench.socket.receive({ type: "command", command: "reload", params: { what: "models" } });
    bench.socket.receive({ type: "command", command: "reload" });
    await settle();
    expect(taken).toEqual([
      { name: "drain", params: {}, deadline: new Date(1_800_000_000_000) },
      { name: "update", params: {}, version: "2" },
      { name: "reload", params: { what: "models" } },
      { name: "reload", params: {} },
    ]);
    expect(bench.socket.of("state")).toEqual([]);
    await bench.finish();
  });

  it("whose handler fails, or that is not known, is noted and harms nothing", async () => {
    const bench = await welcomedBench({
      async reload() {
        throw new Error("no such model");
      },
    });
    bench.socket.receive({ type: "command", command: "reload" });
    bench.socket.receive({ type: "command", command: "dance" });
    await settle();
    expect(bench.log).toContainEqual({
      level: "error",
      event: "command.failed",
      command: "reload",
      error: "no such model",
    });
    expect(bench.log).toContainEqual({ level: "warn", event: "command.unknown", command: "dance" });
    await bench.finish();
  });

  it("has one handler", () => {
    const { worker } = workerBench();
    worker.onCommand("reload", () => {});
    expect(() => worker.onCommand("reload", () => {})).toThrow('The command "reload" already has a handler.');
  });
});
