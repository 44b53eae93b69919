import { Blueprint, type Action, type AggregationResults, type CompleteBlueprint } from "batuta";
import { actions } from "../../src/blueprint/actions.ts";
import type { Step, StepHandler } from "../../src/blueprint/step.ts";
import { ENDS, TARGETS, type Plan, type StepPlan, type Waiting } from "./job-plan.ts";

export function stateAfter({ steps }: Plan, index: number): string {
  return index + 1 < steps.length ? `s${index + 1}` : "done";
}

/** The transitions of a state that waits, by word. A worker's event leads from every task to the state that follows. */
export function transitionsOf(plan: Plan, state: string): Readonly<Record<string, string>> {
  if (state === "tidy") return { success: "stopped", cancelled: "sad" };
  const index = Number(state.slice(1));
  const step = plan.steps[index];
  if (step === undefined || !("words" in step)) return {};
  return Object.fromEntries(step.words.map((word) => [word, TARGETS[word] ?? stateAfter(plan, index)]));
}

function actionOf(plan: Plan, index: number, step: StepPlan): Action {
  const next = stateAfter(plan, index);
  const transitions = transitionsOf(plan, `s${index}`);
  switch (step.kind) {
    case "pass":
      return actions.transitionTo(next);
    case "task":
      return actions.dispatchTask({
        type: "work",
        retry: step.retry,
        ...step.limits,
        transitions,
        eventTransitions: { skip: next },
      });
    case "fan": {
      const { failFast, maxConcurrent, limits, retry } = step;
      const options = { aggregateInto: `j${index}`, failFast, ...(maxConcurrent === null ? {} : { maxConcurrent }) };
      const numbers = Array.from({ length: step.count }, (_, n) => n);
      if (!step.children) {
        return actions.dispatchParallel(
          numbers.map((n) => ({ type: "work", params: { n }, retry, ...limits })),
          options,
        );
      }
      const { resultTimeoutSeconds: timeoutSeconds } = limits;
      const most = timeoutSeconds === undefined ? {} : { timeoutSeconds };
      return actions.runParallel(
        numbers.map((n) => ({ blueprint: "kid", initialData: { n }, ...most })),
        options,
      );
    }
    case "child":
      return actions.runBlueprint({
        blueprint: "kid",
        transitions,
        ...(step.into === null ? {} : { into: step.into }),
        ...withLimit(step),
      });
    case "approval": {
      const { approvals, deciders } = step;
      const asked = { message: "?", integration: "chat", approvals, ...(deciders === null ? {} : { deciders }) };
      return actions.awaitHumanApproval({ ...asked, transitions, ...withLimit(step) });
    }
    case "event":
      return actions.waitFor({
        event: step.event,
        transitions: { received: next, ...transitions },
        ...withLimit(step),
      });
    case "sleep":
      return actions.sleep({ seconds: step.seconds, to: next });
  }
}

function withLimit({ limit }: Waiting): { timeoutSeconds?: number } {
  return limit === null ? {} : { timeoutSeconds: limit };
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
    const [state, join] = [`s${index}`, `j${index}`];
    const run: StepHandler = () => {
      throwAtFirst(state, each.throws);
      return actionOf(plan, index, each);
    };
    steps.set(state, { kind: "handler", run });
    if (each.kind !== "fan") continue;
    const aggregator: StepHandler = ({ aggregationResults }) => {
      aggregated(join, aggregationResults);
      throwAtFirst(join, each.joinThrows);
      return actions.transitionTo(stateAfter(plan, index));
    };
    steps.set(join, { kind: "aggregator", run: aggregator });
  }
  const tidy: StepHandler = () => actions.dispatchTask({ type: "tidy", transitions: transitionsOf(plan, "tidy") });
  steps.set("tidy", { kind: "handler", run: tidy });
  for (const [end, status] of Object.entries(ENDS)) {
    steps.set(end, { kind: "end", run: null, failure: status === "failed" });
  }
  const { timeout, retry } = plan;
  const over = timeout && { seconds: timeout.seconds, ...(timeout.goesOn ? { to: "tidy" } : {}) };
  const options = { name: "random", states: [...steps.keys()], retry, ...(over === null ? {} : { timeout: over }) };
  return new Blueprint(options, steps, "s0");
}
