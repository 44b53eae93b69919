import { RXON_VERSION } from "@batuta/worker/protocol";
import { describe, expect, test } from "vitest";
import { heartbeatAnswer, registrationAnswer, resultAnswer } from "../../../src/http/worker-answers.ts";

const worker = { worker_id: "w", load: 1, cancel_task_ids: ["t"] };
const accepted = { status: "result_accepted_success" } as const;
const ignored = { status: "ignored", reason: "stale_task", message: "late" } as const;
const gone = { status: "ignored", reason: "job_not_found" } as const;

describe("the first generation is answered in its words", () => {
  test("when it registers", () => {
    expect(registrationAnswer({ worker_id: "w", supported_tasks: [] }, undefined)).toEqual({ status: "registered" });
  });

  test("when it sends a heartbeat", () => {
    expect(heartbeatAnswer({ load: 1, status: "busy", supported_tasks: [], hot_cache: [] }, worker)).toBe(worker);
    expect(heartbeatAnswer({ supported_tasks: [], timestamp: 1, security: {} }, worker)).toBe(worker);
    expect(heartbeatAnswer(null, worker)).toEqual({ status: "ttl_refreshed" });
  });

  test.each([{ result: { status: "success" } }, { result: { status: "success" }, timestamp: 1 }, {}])(
    "when it sends a result: %j",
    (body) => {
      expect(resultAnswer(body, accepted)).toBe(accepted);
      expect(resultAnswer(body, ignored)).toBe(ignored);
      expect(resultAnswer(body, gone)).toBeNull();
    },
  );
});

describe("the later generation is answered in its words", () => {
  test("when it registers", () => {
    const registration = { worker_id: "w", supported_skills: [] };
    const answer = { status: "registered", version: RXON_VERSION };
    expect(registrationAnswer(registration, undefined)).toEqual({ ...answer, warning: null });
    expect(registrationAnswer(registration, RXON_VERSION)).toEqual({ ...answer, warning: null });
    expect(registrationAnswer(registration, "1.0b9")).toEqual({ ...answer, warning: expect.stringContaining("1.0b9") });
  });

  test.each([
    [worker, { status: "ok", cancel_task_ids: ["t"] }],
    [{ load: 1 }, { status: "ok" }],
    [{ require_full_sync: true }, { status: "ok", require_full_sync: true }],
  ])("when it sends a heartbeat: %j", (known, answer) => {
    expect(heartbeatAnswer({ skills_hash: "h" }, known)).toEqual(answer);
  });

  test.each([
    ["result_accepted_success", "success_transition"],
    ["result_accepted_failure", "failure_handled"],
    ["result_accepted_cancelled", "cancelled_handled"],
    ["parallel_branch_result_accepted", "parallel_branch_accepted"],
  ] as const)("when it sends a result: %s", (status, transition) => {
    for (const body of [{ status: "failure" }, { data: {} }, { timestamp: 1 }]) {
      expect(resultAnswer(body, { status })).toEqual({ status: "accepted", transition });
    }
  });

  test("when its result changes nothing, also where there is no such job", () => {
    expect(resultAnswer({ data: {} }, ignored)).toBe(ignored);
    expect(resultAnswer({ data: {} }, gone)).toBe(gone);
  });
});
