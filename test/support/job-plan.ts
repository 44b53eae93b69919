import { Blueprint, type AggregationResults, type CompleteBlueprint, type TaskRequest } from "batuta";
import fc from "fast-check";
import { actions } from "../../src/blueprint/actions.ts";
import type { Step, StepHandler } from "../../src/blueprint/blueprint.ts";

/** What a state of a random blueprint does. Each handler throws `throws` times before it decides. */
export type StepPlan =
  | { readonly kind: "pass"; readonly throws: number }
  | { readonly kind: "task"; readonly throws: number; readonly words: readonly Word[] }
  | { readonly kind: "fan"; readonly throws: number; readonly count: number; readonly joinThrows: number };

/** A random job: its steps one after another, and the deployment's JOB_MAX_RETRIES. */
export interface Plan {
  readonly steps: readonly StepPlan[];
  readonly maxRetries: number;
}

/** Where the words of a task's transitions lead; null is the step that follows. */
export const TARGETS = { success: null, review: null, failure: "sad", timeout: "late", cancelled: "stopped" } as const;
export type Word = keyof typeof TARGETS;

const throws = fc.oneof(
  { weight: 4, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 4 }) },
);
const words = fc.subarray<Word>(["success", "review", "failure", "timeout", "cancelled"]);
const step: fc.Arbitrary<StepPlan> = fc.oneof(
  fc.record({ kind: fc.constant("pass" as const), throws }),
  fc.record({
    kind: fc.constant("task" as const),
    throws,
    words: words.map((some) => [...new Set<Word>(["success", ...some])]),
  }),
  fc.record({ kind: fc.constant("task" as const), throws, words }),
  fc.record({ kind: fc.constant("fan" as const), throws, count: fc.integer({ min: 0, max: 5 }), joinThrows: throws }),
);

/** Single tasks, chains and fan-outs. */
export const plan: fc.Arbitrary<Plan> = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 4 }),
  maxRetries: fc.integer({ min: 0, max: 3 }),
});

export function stateAfter({ steps }: Plan, index: number): string {
  return index + 1 < steps.length ? `s${index + 1}` : "done";
}

/** The plan as a blueprint. `aggregated` gets the state and results of every run of an aggregator, those that throw too. */
export function blueprintOf(
  plan: Plan,
  aggregated: (state: string, results: AggregationResults) => void,
): CompleteBlueprint {
  const calls = new Map<string, number>();
  const throwAtFirst = (state: string, times: number) => {
    const call = (calls.get(state) ?? 0) + 1;
    calls.set(state, call);
    if (call <= times) throw new Error(`${state} fails at call ${call}`);
  };
  const steps = new Map<string, Step>();
  for (const [index, each] of plan.steps.entries()) {
    const [state, join, next] = [`s${index}`, `j${index}`, stateAfter(plan, index)];
    const run: StepHandler = () => {
      throwAtFirst(state, each.throws);
      if (each.kind === "pass") return actions.transitionTo(next);
      if (each.kind === "fan") return actions.dispatchParallel(numbered(each.count), { aggregateInto: join });
      return actions.dispatchTask({
        type: "work",
        transitions: Object.fromEntries(each.words.map((word) => [word, TARGETS[word] ?? next])),
      });
    };
    steps.set(state, { kind: "handler", run });
    if (each.kind !== "fan") continue;
    const aggregator: StepHandler = ({ aggregationResults }) => {
      aggregated(join, aggregationResults);
      throwAtFirst(join, each.joinThrows);
      return actions.transitionTo(next);
    };
    steps.set(join, { kind: "aggregator", run: aggregator });
  }
  for (const end of ["done", "sad", "late", "stopped"])
    steps.set(end, { kind: "end", run: null, failure: end === "sad" || end === "late" });
  return new Blueprint({ name: "random", states: [...steps.keys()] }, steps, "s0");
}

function numbered(count: number): TaskRequest[] {
  return Array.from({ length: count }, (_, n) => ({ type: "work", params: { n } }));
}
