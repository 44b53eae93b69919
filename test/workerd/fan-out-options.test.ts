import { describe, expect, test } from "vitest";
import { createJob, expectJob, unique } from "../support/workerd-api.ts";
import { WAYS } from "../support/workerd-clock.ts";
import { socketWorker } from "../support/workerd-worker.ts";

describe.each(WAYS)("a fan-out, %s,", (_, between) => {
  test("that fails fast ends its other branches and aggregates at once", async () => {
    const type = unique();
    const worker = await socketWorker([type], { slots: 2 });
    const id = await createJob("fan", { type, count: 4, failFast: true });
    const [first, second] = [await worker.task(), await worker.task()];
    await between();
    await worker.result(first, { status: "failure", error: { code: "PERMANENT_ERROR", message: "no" } });
    await expectJob(id, {
      status: "finished",
      result: { statuses: ["failure", "cancelled", "cancelled", "cancelled"], numbers: [0, 1, 2, 3] },
    });
    expect(await worker.result(second)).toMatchObject({ status: "ignored" });
  });

  test("has no more branches out than it may, and begins each once", async () => {
    const type = unique();
    const worker = await socketWorker([type], { slots: 10 });
    const id = await createJob("fan", { type, count: 5, maxConcurrent: 2 });
    const seen: unknown[] = [];
    let out = [await worker.task(), await worker.task()];
    expect(await worker.rest()).toEqual([]);
    while (out.length > 0) {
      const [next, ...others] = out;
      if (next === undefined) break;
      await between();
      seen.push(next.params);
      await worker.result(next);
      out = seen.length <= 3 ? [...others, await worker.task()] : others;
    }
    expect(seen).toEqual([0, 1, 2, 3, 4].map((number) => ({ number })));
    await expectJob(id, { status: "finished", result: { statuses: Array.from({ length: 5 }, () => "success") } });
  });
});
