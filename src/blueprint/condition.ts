import { compileCondition } from "./condition-text.ts";
import type { ConditionalHandler, Step, StepHandler } from "./step.ts";

/** A predicate that was written in place is named after the option it stands in. */
function nameOf(predicate: { readonly name: string }): string {
  return predicate.name === "" || predicate.name === "when" ? "(predicate)" : predicate.name;
}

/**
 * A handler with its condition: an expression, which is compiled, or a predicate.
 * @returns a text that says what is wrong when the condition cannot be used
 */
export function conditionalHandler(when: string | StepHandler, run: StepHandler): ConditionalHandler | string {
  if (typeof when === "function") {
    const text = nameOf(when);
    const holds: ConditionalHandler["holds"] = (context) => {
      const answer = when(context);
      if (typeof answer === "boolean") return answer;
      const what = answer instanceof Promise ? "a promise" : String(answer);
      throw new TypeError(`The condition ${text} must return true or false, and returned ${what}.`);
    };
    return { text, holds, run };
  }
  const compiled = compileCondition(when);
  return "fault" in compiled ? compiled.fault : { text: when, holds: compiled.holds, run };
}

/**
 * The handler that a job's step runs: the first whose condition holds, in the order they were given, else the default.
 * @returns null for an end state without a handler
 * @throws what a predicate throws
 */
export function handlerFor(step: Step, context: Parameters<StepHandler>[0]): StepHandler | null {
  if (step.kind !== "handler") return step.run;
  return step.when?.find(({ holds }) => holds(context))?.run ?? step.run;
}
