import { describe, expect, it } from "vitest";
import { Availability } from "../../../worker-sdk/src/availability.ts";
import { silentLogger } from "../../../worker-sdk/src/logger.ts";
import { aTask } from "./support/fake-orchestrator.ts";
import { fakeOrigin, poolOf } from "./support/task-surroundings.ts";
import { gate } from "./support/worker-bench.ts";

function fullPool() {
  const end = gate();
  const parts = poolOf(1, { work: { handler: () => end.promise } });
  const availability = new Availability({
    ...parts,
    capacityChecker: undefined,
    checkEveryMs: 1_000,
    logger: silentLogger,
  });
  parts.pool.start(aTask(), fakeOrigin().origin);
  return { availability, end };
}

const soon = () => new Promise<"waits">((resolve) => setImmediate(() => resolve("waits")));

describe("waiting to take a task", () => {
  it("ends when there is room", async () => {
    const { availability, end } = fullPool();
    const ready = availability.ready(new AbortController().signal).then(() => "ready");
    expect(await Promise.race([ready, soon()])).toBe("waits");
    end.resolve();
    expect(await ready).toBe("ready");
  });

  it("goes on while the worker drains, room or not", async () => {
    const { availability, end } = fullPool();
    const ready = availability.ready(new AbortController().signal).then(() => "ready");
    availability.drain();
    end.resolve();
    await soon();
    expect(await Promise.race([ready, soon()])).toBe("waits");
    availability.resume();
    expect(await ready).toBe("ready");
  });

  it("ends when it is given up", async () => {
    const { availability } = fullPool();
    const abort = new AbortController();
    const ready = availability.ready(abort.signal).then(() => "ready");
    abort.abort();
    expect(await ready).toBe("ready");
  });
});
