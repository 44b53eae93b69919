import { describe, expect, it } from "vitest";
import { reportedResult, resultFrame, taskTypesOf, workerRegistration } from "@batuta/worker/protocol";

const ids = { job_id: "job", task_id: "job-1", worker_id: "w" };

describe("a result that a worker posts", () => {
  it("is read as it is when its outcome stands by itself", () => {
    const result = { status: "failure", error: { code: "TRANSIENT_ERROR", message: "busy" } };
    expect(reportedResult.parse({ ...ids, result })).toEqual({ ...ids, result });
  });

  it.each([
    [
      { status: "needs_review", data: { n: 1 } },
      { status: "needs_review", data: { n: 1 } },
    ],
    [{ data: { n: 1 } }, { status: "success", data: { n: 1 } }],
    [{}, { status: "success" }],
    [
      { status: "failure", error: { code: "X", message: "m" } },
      { status: "failure", error: { code: "X", message: "m" } },
    ],
  ])("is read in the later generation's flat form, too: %j", (flat, result) => {
    expect(reportedResult.parse({ ...ids, timestamp: 1, ...flat })).toMatchObject({ ...ids, timestamp: 1, result });
  });

  it.each([
    [{ error: "no space left" }, "failure"],
    [{ error: { code: "X", message: "m" }, data: { n: 1 } }, "failure"],
    [{ error: {} }, "failure"],
    [{ error: null }, "success"],
    [{ status: "success", error: "only a remark" }, "success"],
    [{ status: "cancelled", error: "stopped" }, "cancelled"],
  ])("that has an error and no status is a failure, nested or flat: %j is a %s", (said, status) => {
    for (const body of [{ result: said }, said, { timestamp: 1, ...said }]) {
      expect(reportedResult.parse({ ...ids, ...body }).result).toEqual({ ...said, status });
      expect(resultFrame.parse({ type: "result", ...ids, result: said }).result).toEqual({ ...said, status });
    }
  });

  it("is a success when it says nothing", () => {
    expect(reportedResult.parse(ids).result).toEqual({ status: "success" });
    expect(reportedResult.parse({ ...ids, result: {} }).result).toEqual({ status: "success" });
  });

  it.each([[null], ["text"], [[]], [{ ...ids, task_id: "no id at all!" }]])("is refused when it is %j", (body) => {
    expect(reportedResult.safeParse(body).success).toBe(false);
  });
});

describe("the task types of a worker", () => {
  it.each([
    [{ supported_tasks: ["a"], available_skills: ["b"] }, ["a"]],
    [{ available_skills: [], supported_skills: [{ name: "c" }] }, []],
    [{ supported_skills: [{ name: "c", type: "gpu" }] }, ["c"]],
    [{}, []],
  ])("of %j are %j", (worker, types) => {
    expect(taskTypesOf(worker)).toEqual(types);
  });
});

it("a registration may say its version as a number, and one tag without a list", () => {
  const said = workerRegistration.parse({ worker_id: "w", version: 2, tags: "gpu" });
  expect(said).toEqual({ worker_id: "w", version: "2", tags: ["gpu"] });
});
