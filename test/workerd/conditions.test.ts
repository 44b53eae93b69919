import { expect, test } from "vitest";
import { compileCondition } from "../../src/blueprint/condition-text.ts";
import { contextOf } from "../unit/blueprint/condition-context.ts";

/** The runtime refuses `eval` and `new Function`; the evaluator must do without, and number and text must be the same here. */
test.each([
  ["initial_data.amount >= 100", true],
  ["initial_data.amount == 250.0 && initial_data.amount == 250", true],
  ["initial_data.amount / 4 == 62.5", true],
  ["context.initial_data.plan == premium", true],
  ["context.initial_data.amount < 100", false],
  ["initial_data.lines.exists(line, line.price > 80)", true],
  ["initial_data.lines[0].sku.matches('^a[0-9]+$')", true],
  ["client.plan == 'premium' && metadata.team == 'prints' && current_state == 'review'", true],
  ["initial_data.missing != 1", false],
  ["!(initial_data.plan > 1)", false],
  ["has(initial_data.plan) && !has(initial_data.missing)", true],
  ["timestamp('2026-11-30T12:00:00Z').getHours() == 12", true],
])("in the runtime, %s is %s", (condition, expected) => {
  const compiled = compileCondition(condition);
  const job = contextOf({ amount: 250, plan: "premium", lines: [{ sku: "a1", price: 80.5 }], constructor: 1 });
  expect("holds" in compiled && compiled.holds(job)).toBe(expected);
});

test("in the runtime, a fault in a condition is told with its place", () => {
  expect(compileCondition("initial_data.amount >")).toEqual({
    fault: "Something is missing at the end.\n  initial_data.amount >\n                       ^",
  });
});
