import type { ResultAck, TaskOutcome } from "@batuta/worker/protocol";
import { failureOf } from "../job/failure.ts";

/** How results move a worker's reputation (reference B.12). All numbers are from 0 to 1. */
export interface ReputationSettings {
  readonly rewardSuccess: number;
  readonly penaltyTaskFailure: number;
  readonly penaltyContractViolation: number;
  /** A worker below it gets no tasks. */
  readonly minThreshold: number;
}

/** What a result says of the worker that did the task. */
export type Verdict = "success" | "task_failure" | "contract_violation";

/** Good work can bring a worker back from here. */
const LOWEST = 0.1;
const HIGHEST = 1;

/** How much of a review is what history says; the rest is the reputation so far. */
const WEIGHT_OF_HISTORY = 0.7;

/** The failures that are the worker's own; a bad input is not its fault, and any other may pass (reference B.12). */
const VERDICTS: ReadonlyMap<string, Verdict> = new Map([
  ["PERMANENT_ERROR", "task_failure"],
  ["SECURITY_ERROR", "task_failure"],
  ["DEPENDENCY_ERROR", "task_failure"],
  ["CONTRACT_VIOLATION_ERROR", "contract_violation"],
]);

/**
 * What the result says of its worker.
 * @param ack how the job took it: a branch's result is acknowledged alike however it ended
 * @returns null when it says nothing: it was ignored or cancelled, the failure may pass, or it is not the worker's
 */
export function verdictOf(ack: ResultAck["status"], outcome: TaskOutcome): Verdict | null {
  if (ack === "ignored" || ack === "result_accepted_cancelled" || outcome.status === "cancelled") return null;
  if (outcome.status === "failure") return VERDICTS.get(failureOf(outcome).code) ?? null;
  // The job could make nothing of what the worker calls a success.
  return ack === "result_accepted_failure" ? "task_failure" : "success";
}

/** Four digits, as Avtomatika keeps it: sums of small steps stay exact, and a review comes to rest. */
function bounded(reputation: number): number {
  const rounded = Math.round(reputation * 10_000) / 10_000;
  return Math.min(HIGHEST, Math.max(LOWEST, rounded));
}

/** The reputation after one more result. */
export function afterVerdict(reputation: number, verdict: Verdict, settings: ReputationSettings): number {
  const steps: Readonly<Record<Verdict, number>> = {
    success: settings.rewardSuccess,
    task_failure: -settings.penaltyTaskFailure,
    contract_violation: -settings.penaltyContractViolation,
  };
  return bounded(reputation + steps[verdict]);
}

/** A worker's results in the last 30 days, or of a sample of them. */
export interface SuccessRate {
  /** Share of successes, from 0 to 1. */
  readonly rate: number;
  readonly results: number;
}

/** Of a worker that did nothing in 30 days (spec §3). */
export const NO_RESULTS: SuccessRate = { rate: 1, results: 0 };

/**
 * Fewer results than this are too few to take a worker out of service for a month: a new worker whose first task fails
 * would else get no second one.
 */
export const TELLING_RESULTS = 10;

/** The reputation after the hourly review. */
export function afterReview(reputation: number, { rate, results }: SuccessRate, minThreshold: number): number {
  const reviewed = bounded(WEIGHT_OF_HISTORY * rate + (1 - WEIGHT_OF_HISTORY) * reputation);
  return results < TELLING_RESULTS ? Math.max(reviewed, Math.min(reputation, minThreshold)) : reviewed;
}

/** Why a worker gets nothing for its reputation; null when it does. */
export function tooLow(reputation: number, { minThreshold }: ReputationSettings): string | null {
  return reputation < minThreshold ? `reputation ${reputation} < ${minThreshold}` : null;
}
