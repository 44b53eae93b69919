import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ProgressReporter, type Progress } from "../../../worker-sdk/src/tasks/progress-reporter.ts";
import { pass, settle } from "./support/worker-bench.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function recorder() {
  const sent: Array<Progress & { at: number }> = [];
  const reporter = new ProgressReporter(async (progress) => void sent.push({ ...progress, at: Date.now() }));
  return { sent, reporter };
}

describe("ProgressReporter", () => {
  it("sends the first report at once and the latest of the others after 200 ms", async () => {
    const { sent, reporter } = recorder();
    const start = Date.now();
    reporter.report(0.1, "one");
    reporter.report(0.2, "two");
    await settle();
    reporter.report(0.3, "three");
    await pass(199);
    expect(sent).toHaveLength(1);
    await pass(1);
    expect(sent[0]).toEqual({ progress: 0.1, message: "one", at: start });
    expect(sent[1]).toEqual({ progress: 0.3, message: "three", at: start + 200 });
    await pass(1_000);
    expect(sent).toHaveLength(2);
  });

  it("sends the latest value when the task is finished, and nothing afterwards", async () => {
    const { sent, reporter } = recorder();
    reporter.report(0.1);
    await settle();
    reporter.report(0.9, "last");
    await reporter.finish();
    reporter.report(1);
    await pass(1_000);
    expect(sent.map(({ progress }) => progress)).toEqual([0.1, 0.9]);
  });

  it("waits for a report under way before it is finished", async () => {
    const slow = Promise.withResolvers<void>();
    const reporter = new ProgressReporter(() => slow.promise);
    reporter.report(0.5);
    let finished = false;
    const finishing = reporter.finish().then(() => (finished = true));
    await settle();
    expect(finished).toBe(false);
    slow.resolve();
    await finishing;
  });

  it("drops what is pending when it is discarded", async () => {
    const { sent, reporter } = recorder();
    reporter.report(0.1);
    await settle();
    reporter.report(0.2);
    reporter.discard();
    await reporter.finish();
    expect(sent).toHaveLength(1);
  });

  it("cuts shares off at 0 and 1", async () => {
    const { sent, reporter } = recorder();
    for (const share of [-1, 7, Number.NaN]) {
      reporter.report(share);
      await pass(200);
    }
    expect(sent.map(({ progress }) => progress)).toEqual([0, 1, 0]);
  });

  it("keeps its pace and always ends with the last value", async () => {
    const reports = fc.array(fc.tuple(fc.nat(300), fc.double({ min: 0, max: 1, noNaN: true })), {
      minLength: 1,
      maxLength: 30,
    });
    await fc.assert(
      fc.asyncProperty(reports, async (steps) => {
        const { sent, reporter } = recorder();
        for (const [gap, share] of steps) {
          await pass(gap);
          reporter.report(share);
        }
        const finishedAt = Date.now();
        await reporter.finish();
        expect(sent.at(-1)?.progress).toBe(steps.at(-1)?.[1]);
        const paced = sent.filter(({ at }) => at < finishedAt);
        for (const [index, { at }] of paced.entries()) {
          if (index > 0) expect(at - (paced[index - 1]?.at ?? 0)).toBeGreaterThanOrEqual(200);
        }
      }),
      { numRuns: 30 },
    );
  });
});
