import { actions } from "../../../src/blueprint/actions.ts";
import { compileCondition } from "../../../src/blueprint/condition-text.ts";
import type { StepHandler } from "../../../src/blueprint/step.ts";

export type ConditionContext = Parameters<StepHandler>[0];

/** The context of a job with this input, in state `review`. */
export function contextOf(initialData: unknown, more: Partial<ConditionContext> = {}): ConditionContext {
  return {
    jobId: "job-1",
    currentState: "review",
    initialData,
    stateHistory: {},
    client: { name: "acme", plan: "premium", params: { limit: 3 } },
    metadata: { team: "prints" },
    tracingContext: {},
    dataStores: {},
    actions,
    aggregationResults: { all: [], succeeded: [], failed: [] },
    ...more,
  };
}

/** Whether the condition holds for a job with this input. */
export function holds(condition: string, initialData: unknown, more: Partial<ConditionContext> = {}): boolean {
  const compiled = compileCondition(condition);
  if ("fault" in compiled) throw new Error(compiled.fault);
  return compiled.holds(contextOf(initialData, more));
}

/** What is wrong with the text of a condition; null when nothing is. */
export function faultOf(condition: string): string | null {
  const compiled = compileCondition(condition);
  return "fault" in compiled ? compiled.fault : null;
}
