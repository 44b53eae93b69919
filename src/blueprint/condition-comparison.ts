import { SCOPE } from "./condition-scope.ts";

/** Avtomatika's condition (reference B.13): one comparison of a field with a value that needs no quotes. */
const COMPARISON = /^context\.([\p{L}\p{N}_]+)\.([\p{L}\p{N}_]+)\s*(>=|<=|==|!=|>|<)\s*(.+)$/u;

/** `context.initial_data.plan` is CEL as well, `context.initial_data.größe` and `context.initial_data.in` are not. */
const CEL_FIELD = /^(?!(?:true|false|null|in)$)[A-Za-z_]\w*$/;

/** Words without quotes: what they name is themselves. Anything with brackets, operators or quotes is an expression. */
const WORDS = /^[\p{L}\p{N}_][\p{L}\p{N}_.:@/+-]*(?: [\p{L}\p{N}_][\p{L}\p{N}_.:@/+-]*)*$/u;
const NAME = new RegExp(`^(?:context|${Object.keys(SCOPE).join("|")})(?![\\p{L}\\p{N}_])`, "u");
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const CEL_NUMBER = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const QUOTED = /^(["'])([^"'\\]*)\1$/;

/** As a CEL literal that keeps no more digits than a number of the job has. */
function numberLiteral(text: string): string {
  const value = Number(text);
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) return value.toExponential();
  return CEL_NUMBER.test(text) ? text : String(value);
}

/**
 * What the value may stand for, as CEL literals; null when it is an expression. Where CEL and Avtomatika read the
 * same text differently, both readings match: `"5"` is a text there and a number here, `true` the other way round.
 */
function literals(value: string): readonly string[] | null {
  if (NUMBER.test(value)) return [numberLiteral(value)];
  const quoted = QUOTED.exec(value)?.[2];
  if (quoted !== undefined) return NUMBER.test(quoted) ? [value, numberLiteral(quoted)] : [value];
  if (!WORDS.test(value) || NAME.test(value)) return null;
  const text = JSON.stringify(value);
  return value === "true" || value === "false" || value === "null" ? [value, text] : [text];
}

/**
 * A condition of Avtomatika, `context.<area>.<field> <op> <value>`, as CEL. Every other text is returned as it
 * is. The part before the operator keeps its length up to the field, so that a fault is shown at its place.
 */
export function comparisonToCel(condition: string): string {
  const [, area = "", field = "", operator = "", value = ""] = COMPARISON.exec(condition) ?? [];
  const alternatives = literals(value.trim());
  if (area === "" || alternatives === null) return condition;
  const left = CEL_FIELD.test(field) ? `context.${area}.${field}` : `context.${area}[${JSON.stringify(field)}]`;
  return alternatives.map((right) => `${left} ${operator} ${right}`).join(operator === "!=" ? " && " : " || ");
}
