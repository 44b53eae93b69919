import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  afterReview,
  afterVerdict,
  TELLING_RESULTS,
  tooLow,
  verdictOf,
  type ReputationSettings,
  type Verdict,
} from "../../../src/dispatch/reputation.ts";

const SETTINGS: ReputationSettings = {
  rewardSuccess: 0.001,
  penaltyTaskFailure: 0.05,
  penaltyContractViolation: 0.2,
  minThreshold: 0.3,
};

const many = (rate: number) => ({ rate, results: 1_000 });
const failure = (code: string) => ({ status: "failure", error: { code, message: "no" } });

describe("the verdict of a result", () => {
  test.each([
    ["result_accepted_success", { status: "success" }, "success"],
    ["result_accepted_success", { status: "a_word_of_the_blueprint" }, "success"],
    ["parallel_branch_result_accepted", { status: "success" }, "success"],
    ["result_accepted_failure", failure("PERMANENT_ERROR"), "task_failure"],
    ["result_accepted_failure", failure("SECURITY_ERROR"), "task_failure"],
    ["parallel_branch_result_accepted", failure("DEPENDENCY_ERROR"), "task_failure"],
    ["result_accepted_failure", failure("CONTRACT_VIOLATION_ERROR"), "contract_violation"],
    ["result_accepted_failure", { status: "success", data: "no object" }, "task_failure"],
  ] as const)("%s of %j is %s", (ack, outcome, verdict) => {
    expect(verdictOf(ack, outcome)).toBe(verdict);
  });

  test.each([
    ["ignored", { status: "success" }],
    ["ignored", failure("PERMANENT_ERROR")],
    ["result_accepted_cancelled", { status: "success" }],
    ["parallel_branch_result_accepted", { status: "cancelled" }],
    ["result_accepted_failure", failure("TRANSIENT_ERROR")],
    ["result_accepted_failure", failure("INVALID_INPUT_ERROR")],
    ["result_accepted_failure", failure("INTEGRITY_MISMATCH_ERROR")],
    ["result_accepted_failure", { status: "failure", error: "just a text" }],
  ] as const)("%s of %j says nothing of the worker", (ack, outcome) => {
    expect(verdictOf(ack, outcome)).toBeNull();
  });
});

describe("a reputation", () => {
  const reputations = fc.integer({ min: 1_000, max: 10_000 }).map((n) => n / 10_000);
  const verdicts = fc.constantFrom<Verdict>("success", "task_failure", "contract_violation");

  test("falls at once with a failure, and rises a little with each success", () => {
    expect(afterVerdict(1, "task_failure", SETTINGS)).toBe(0.95);
    expect(afterVerdict(0.95, "contract_violation", SETTINGS)).toBe(0.75);
    expect(afterVerdict(0.75, "success", SETTINGS)).toBe(0.751);
    expect(afterVerdict(1, "success", SETTINGS)).toBe(1);
    expect(afterVerdict(0.12, "contract_violation", SETTINGS)).toBe(0.1);
  });

  test("stays between 0.1 and 1 and moves the way of the verdict", () => {
    fc.assert(
      fc.property(reputations, fc.array(verdicts, { maxLength: 50 }), (start, list) => {
        let reputation = start;
        for (const verdict of list) {
          const next = afterVerdict(reputation, verdict, SETTINGS);
          expect(next).toBeGreaterThanOrEqual(0.1);
          expect(next).toBeLessThanOrEqual(1);
          if (verdict === "success") expect(next).toBeGreaterThanOrEqual(reputation);
          else expect(next).toBeLessThanOrEqual(reputation);
          reputation = next;
        }
      }),
    );
  });

  test("nears the rate of the last 30 days with each review, and comes to rest there", () => {
    expect(afterReview(1, many(0.5), 0.3)).toBe(0.65);
    expect(afterReview(0.3, many(0), 0.3)).toBe(0.1);
    expect(afterReview(1, many(1), 0.3)).toBe(1);
    fc.assert(
      fc.property(reputations, reputations, (start, rate) => {
        let reputation = start;
        for (let hour = 0; hour < 12; hour += 1) {
          const next = afterReview(reputation, many(rate), 0.3);
          expect(Math.abs(next - rate)).toBeLessThanOrEqual(Math.abs(reputation - rate));
          reputation = next;
        }
        expect(Math.abs(reputation - rate)).toBeLessThanOrEqual(0.0001);
        expect(afterReview(reputation, many(rate), 0.3)).toBe(reputation);
      }),
    );
  });

  test("is not brought below the threshold by a review of a few results only", () => {
    const few = { rate: 0, results: TELLING_RESULTS - 1 };
    expect(afterReview(0.9, few, 0.3)).toBe(0.3);
    expect(afterReview(0.3, few, 0.3)).toBe(0.3);
    expect(afterReview(0.2, few, 0.3)).toBe(0.2);
    expect(afterReview(0.9, { ...few, results: TELLING_RESULTS }, 0.3)).toBe(0.27);
  });

  test("below the threshold rules a worker out, with both numbers", () => {
    expect(tooLow(0.2, SETTINGS)).toBe("reputation 0.2 < 0.3");
    expect(tooLow(0.3, SETTINGS)).toBeNull();
    expect(tooLow(0.1, { ...SETTINGS, minThreshold: 0 })).toBeNull();
  });
});
