import { Environment, EvaluationError, ParseError, TypeError as CheckError } from "@marcbachmann/cel-js";
import { comparisonToCel } from "./condition-comparison.ts";
import { SCOPE, scopeOf, type ConditionContext } from "./condition-scope.ts";

/** A compiled condition, or what is wrong with its text. */
export type CompiledCondition = { readonly holds: (context: ConditionContext) => boolean } | { readonly fault: string };

const ARITHMETIC: Readonly<Record<string, (a: number, b: number) => number>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
};

/**
 * The names of {@link SCOPE}, and numbers as JSON has them. A JSON number is a `double` to CEL and `2` in a text is an
 * `int`; CEL compares the two but would not add them up.
 */
function newEnvironment(): Environment {
  const environment = new Environment({ homogeneousAggregateLiterals: false });
  for (const [operator, calculate] of Object.entries(ARITHMETIC)) {
    const mixed = (a: number | bigint, b: number | bigint) => calculate(Number(a), Number(b));
    environment.registerOperator(`int ${operator} double: double`, mixed);
    environment.registerOperator(`double ${operator} int: double`, mixed);
  }
  environment.registerOperator("double % double", (a: number, b: number) => a % b);
  environment.registerOperator("int == double", (a: bigint, b: number) => Number.isInteger(b) && BigInt(b) === a);
  for (const [name, type] of Object.entries(SCOPE)) {
    if (typeof type === "string") environment.registerVariable(name, type);
    else environment.registerVariable(name, { schema: type });
  }
  return environment.registerVariable("context", { schema: SCOPE });
}

/** Made with the first condition: a deployment without conditions does not pay for it when it starts. */
let environment: Environment | undefined;

/** The line of the text that has the position, with a caret below it. */
function pointAt(text: string, position: number): string {
  const before = text.slice(0, position).split("\n");
  const line = text.split("\n")[before.length - 1] ?? "";
  return `  ${line}\n  ${" ".repeat(before.at(-1)?.length ?? 0)}^`;
}

function reasonOf(error: ParseError | CheckError, text: string): string {
  const { start = 0, end = 0 } = error.range ?? {};
  if (start >= text.length) return "Something is missing at the end.";
  switch (error.code) {
    case "unknown_variable":
      return `There is no '${text.slice(start, end)}' here: the names are ${Object.keys(SCOPE).join(", ")}, and context with the same members.`;
    case "no_such_key": {
      const members = text.slice(0, start).endsWith("client.") ? SCOPE.client : SCOPE;
      return `There is no '${text.slice(start, end)}' there: the members are ${Object.keys(members).join(", ")}.`;
    }
    case "unexpected_character":
      return `'${text.slice(start, end)}' does not belong here.`;
    default:
      return `${error.summary}.`;
  }
}

function faultOf(error: unknown, text: string): string {
  if (!(error instanceof ParseError || error instanceof CheckError)) return `${String(error)}\n${pointAt(text, 0)}`;
  return `${reasonOf(error, text)}\n${pointAt(text, error.range?.start ?? 0)}`;
}

/**
 * Compiles the text of a condition: CEL, or the one comparison of Avtomatika. Once, when the blueprint is loaded.
 * The condition holds when the expression is true; one that cannot be decided with the job's data (a field that is
 * missing, a text compared with a number) does not hold.
 * @returns what is wrong, with the place in the text, when it cannot be compiled
 */
export function compileCondition(condition: string): CompiledCondition {
  environment ??= newEnvironment();
  const text = condition.trim();
  let expression: ReturnType<Environment["parse"]>;
  try {
    expression = environment.parse(comparisonToCel(text));
  } catch (error) {
    return { fault: faultOf(error, text) };
  }
  const { valid, type = "dyn", error } = expression.check();
  if (!valid) return { fault: faultOf(error, text) };
  if (type !== "bool" && !type.startsWith("dyn")) {
    return { fault: `It must be true or false, and this is of type ${type.replace("$", "")}.\n${pointAt(text, 0)}` };
  }
  return {
    holds(context) {
      try {
        return expression(scopeOf(context)) === true;
      } catch (error) {
        // A SyntaxError is a text of the job that is no JSON. What is left is not about the job's data being wrong:
        // a time zone that does not exist, or data nested deeper than the stack. The step fails, rather than take a way.
        if (error instanceof EvaluationError || error instanceof SyntaxError) return false;
        throw error;
      }
    },
  };
}
