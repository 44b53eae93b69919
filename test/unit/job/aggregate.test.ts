import { describe, expect, test } from "vitest";
import { aggregate } from "../../../src/job/run-step.ts";
import { branchOf, outcomeOf } from "../../support/job-builders.ts";

describe("the results of a fan-out", () => {
  test("are in submission order, whatever the order in which they arrived", () => {
    const results = aggregate([
      branchOf(4, { outcome: outcomeOf({ eventSeq: 30, data: "first" }) }),
      branchOf(5, { outcome: outcomeOf({ eventSeq: 10, data: "second" }) }),
      branchOf(6, { outcome: outcomeOf({ eventSeq: 20, data: "third" }) }),
    ]);
    expect(results.all.map(({ index, taskId, data }) => [index, taskId, data])).toEqual([
      [0, "job-4", "first"],
      [1, "job-5", "second"],
      [2, "job-6", "third"],
    ]);
  });

  test("say what was asked, who did it, at which attempt, and what came of it", () => {
    const error = { code: "PERMANENT_ERROR", message: "m" };
    const { all } = aggregate([
      branchOf(1, { attempt: 3, outcome: outcomeOf({ status: "failure", error, workerId: null }) }),
    ]);
    expect(all).toEqual([
      {
        index: 0,
        taskId: "job-1",
        type: "resize",
        params: { number: 1 },
        workerId: null,
        attempt: 3,
        status: "failure",
        data: null,
        error,
      },
    ]);
  });

  test("have null for params that were not given", () => {
    const { all } = aggregate([branchOf(1, { request: { type: "resize" }, outcome: outcomeOf() })]);
    expect(all[0]?.params).toBeNull();
  });

  test("count failures and cancellations as failed, and every other word as succeeded", () => {
    const words = ["success", "failure", "needs_review", "cancelled"];
    const { all, succeeded, failed } = aggregate(
      words.map((status, index) => branchOf(index + 1, { outcome: outcomeOf({ status }) })),
    );
    expect(all.map((result) => result.status)).toEqual(words);
    expect(succeeded.map((result) => result.index)).toEqual([0, 2]);
    expect(failed.map((result) => result.index)).toEqual([1, 3]);
  });

  test("of an empty fan-out are empty", () => {
    expect(aggregate([])).toEqual({ all: [], succeeded: [], failed: [] });
  });
});
