import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ReconnectPace } from "../../../worker-sdk/src/socket/reconnect-pace.ts";
import { connectedBench, pass } from "./support/worker-bench.ts";

describe("the pace of reconnecting", () => {
  it("begins anywhere within the spread, however large", () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 600_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (spread, r) => {
          const pace = new ReconnectPace(() => r);
          pace.spreadOver(spread);
          expect(pace.next(60_000)).toBe(Math.round(r * spread));
        },
      ),
    );
  });

  it("slows down to 30 s while connections do not last, and begins anew after a good one", () => {
    const pace = new ReconnectPace(() => 0.99);
    pace.spreadOver(5_000);
    const waits = [pace.next(60_000), ...Array.from({ length: 6 }, () => pace.next(0))];
    expect(waits).toEqual([4_950, 1_490, 4_430, 13_163, 30_000, 30_000, 30_000]);
    expect(pace.next(9_999)).toBe(30_000);
    expect(pace.next(10_000)).toBe(4_950);
  });

  it("waits at least as long as it was asked to", () => {
    expect(new ReconnectPace(() => 0.5).next(0, 10_000)).toBe(10_500);
  });
});

describe("a worker whose connection breaks", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("comes back within the time its orchestrator named, or else within half a second", async () => {
    const bench = await connectedBench({}, (worker) => worker.task("work", () => {}));
    bench.socket.open();
    bench.socket.receive({ type: "welcome", current_tasks: [], reconnect_spread_ms: 8_000 });
    await pass(20_000);
    bench.socket.drop();
    await pass(3_999);
    expect(bench.sockets).toHaveLength(1);
    await pass(1);
    expect(bench.sockets).toHaveLength(2);
    bench.socket.welcome();
    await pass(20_000);
    bench.socket.drop();
    await pass(250);
    expect(bench.sockets).toHaveLength(3);
    await bench.finish();
  });
});
