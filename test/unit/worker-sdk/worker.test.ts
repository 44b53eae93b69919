import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { ConfigurationError, RegistrationRefusedError, Worker } from "../../../worker-sdk/src/index.ts";
import { jsonLogger } from "../../../worker-sdk/src/logger.ts";
import { tokenProtocol } from "../../../worker-sdk/src/socket/open-socket.ts";
import { connectionRefused, NEXT, problem, REGISTER } from "./support/fake-orchestrator.ts";
import { pass, settle, workerBench } from "./support/worker-bench.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("registration", () => {
  it("is tried for ever while the orchestrator is away, overloaded or broken", async () => {
    const { worker, orchestrator } = workerBench({ websockets: false });
    orchestrator.answerNext(
      REGISTER,
      connectionRefused,
      problem(500, "oops"),
      problem(429, "Too Many Requests", { "Retry-After": "100" }),
      ...Array.from({ length: 20 }, () => connectionRefused),
    );
    worker.task("work", () => {});
    const start = Date.now();
    const running = worker.run({ handleSignals: false });
    await pass(30 * 60_000);
    const tries = orchestrator.to(REGISTER).map(({ at }) => at - start);
    expect(tries.slice(0, 4)).toEqual([0, 750, 2_250, 107_250]);
    expect((tries[20] ?? 0) - (tries[19] ?? 0)).toBe(45_000);
    expect(tries).toHaveLength(24);
    expect(orchestrator.to(NEXT).length).toBeGreaterThan(0);
    await worker.stop();
    await running;
  });

  it.each([
    [
      401,
      "Unauthorized",
      /^The orchestrator at http:\/\/localhost:8080 refused the worker "worker-1" \(HTTP 401: Unauthorized\)\. Check WORKER_TOKEN/,
    ],
    [403, "Not this worker", /HTTP 403: Not this worker\)\. Check WORKER_TOKEN/],
    [400, "worker_type: expected string", /HTTP 400: worker_type: expected string\)\. Check ORCHESTRATOR_URL/],
  ])("refused with %i is final", async (status, error, message) => {
    const { worker, orchestrator } = workerBench();
    orchestrator.answerNext(REGISTER, problem(status, error));
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    await expect(running).rejects.toThrow(RegistrationRefusedError);
    await expect(running).rejects.toThrow(message);
    await worker.stop();
  });

  it("is not tried in a runtime that is too old, which is told which one is needed", async () => {
    const { withResolvers } = Promise;
    Reflect.set(Promise, "withResolvers", undefined);
    try {
      const { worker, orchestrator, sockets } = workerBench();
      worker.task("work", () => {});
      const running = worker.run({ handleSignals: false });
      await expect(running).rejects.toThrow(ConfigurationError);
      await expect(running).rejects.toThrow(
        `A worker needs Node 22 or newer, Bun or Deno: this runtime (${process.version}) is too old.`,
      );
      expect([orchestrator.to(REGISTER), sockets]).toEqual([[], []]);
    } finally {
      Reflect.set(Promise, "withResolvers", withResolvers);
    }
  });

  it("names the target of a redirect instead of carrying the token there", async () => {
    const { worker, orchestrator } = workerBench();
    orchestrator.answerNext(REGISTER, problem(301, "", { Location: "https://elsewhere.example.com/" }));
    worker.task("work", () => {});
    await expect(worker.run({ handleSignals: false })).rejects.toThrow("HTTP 301");
  });

  it("passes on what the orchestrator warns of", async () => {
    const { worker, orchestrator, log } = workerBench({ websockets: false });
    orchestrator.answerNext(REGISTER, () => Response.json({ status: "registered", warning: "old protocol" }));
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    await settle();
    expect(log).toContainEqual({
      level: "warn",
      event: "worker.registered_with_warning",
      orchestrator: "http://localhost:8080",
      warning: "old protocol",
    });
    await worker.stop();
    await running;
  });

  it("is given up by a stop", async () => {
    const { worker, orchestrator, sockets } = workerBench();
    orchestrator.answerNext(REGISTER, connectionRefused);
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    await settle();
    await worker.stop();
    await running;
    expect([orchestrator.to(REGISTER).length, sockets.length]).toEqual([1, 0]);
  });
});

describe("Worker", () => {
  it("refuses tasks without a name, a second handler of a task, a missing handler", () => {
    const { worker } = workerBench();
    worker.task("work", () => {});
    expect(() => worker.task("work", () => {})).toThrow('The task "work" already has a handler.');
    expect(() => worker.task("", () => {})).toThrow("A task needs a name");
    // @ts-expect-error the handler is missing
    expect(() => worker.task("other", { params: z.string() })).toThrow('The task "other" has no handler.');
  });

  it("infers params from the schema", () => {
    const { worker } = workerBench();
    worker.task("typed", { params: z.object({ width: z.number() }) }, ({ params }) => params.width.toFixed(1));
    // @ts-expect-error width is a number
    worker.task("mistyped", { params: z.object({ width: z.number() }) }, ({ params }) => params.width.trim());
  });

  it("does not run without a task, twice, or with tasks registered too late", async () => {
    const { worker } = workerBench();
    await expect(worker.run()).rejects.toThrow("The worker has no task.");
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    await expect(worker.run()).rejects.toThrow("A worker runs once.");
    expect(() => worker.task("late", () => {})).toThrow('Register the task "late" before run()');
    await worker.stop();
    await running;
  });

  it("stopped before it runs does not run", async () => {
    const { worker, orchestrator } = workerBench();
    worker.task("work", () => {});
    await worker.stop();
    await worker.run();
    expect(orchestrator.requests).toEqual([]);
  });

  it("gives every stop the same promise", async () => {
    const { worker } = workerBench();
    worker.task("work", () => {});
    const running = worker.run({ handleSignals: false });
    const stopping = worker.stop();
    expect(worker.stop()).toBe(stopping);
    await stopping;
    await running;
  });

  it.each(["SIGINT", "SIGTERM"] as const)("stops at %s, and leaves further signals to the process", async (signal) => {
    const before = process.listenerCount(signal);
    const { worker, log } = workerBench();
    worker.task("work", () => {});
    const running = worker.run();
    await settle();
    expect(process.listenerCount(signal)).toBe(before + 1);
    process.emit(signal, signal);
    expect([process.listenerCount("SIGINT"), process.listenerCount("SIGTERM")]).toEqual([before, before]);
    await running;
    expect(log).toContainEqual({ level: "info", event: "worker.signal", signal });
  });

  it("can be silent", () => {
    const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const worker = new Worker({ logger: false }, { environment: {} });
    expect(worker.workerId).toMatch(/^worker-/);
    expect(write).not.toHaveBeenCalled();
    write.mockRestore();
  });
});

describe("jsonLogger", () => {
  it("writes one line of JSON an entry, from its level up", () => {
    vi.setSystemTime("2026-11-20T10:00:00Z");
    const lines: string[] = [];
    const logger = jsonLogger("WARN", { worker_id: "w" }, (line) => void lines.push(line));
    logger.debug("a");
    logger.info("b");
    logger.warn("c", { n: 1 });
    logger.error("d");
    expect(lines).toEqual([
      '{"time":"2026-11-20T10:00:00.000Z","level":"WARN","event":"c","worker_id":"w","n":1}\n',
      '{"time":"2026-11-20T10:00:00.000Z","level":"ERROR","event":"d","worker_id":"w"}\n',
    ]);
  });
});

describe("tokenProtocol", () => {
  it("is a valid protocol name that decodes to the token", () => {
    const token = "a~?>/b+c=";
    const protocol = tokenProtocol(token);
    expect(protocol).toMatch(/^token\.[A-Za-z0-9_-]+$/);
    expect(Buffer.from(protocol.slice("token.".length), "base64url").toString()).toBe(token);
  });
});
