import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { actions } from "../../../src/blueprint/actions.ts";
import { handlerFor } from "../../../src/blueprint/condition.ts";
import { SCOPE } from "../../../src/blueprint/condition-scope.ts";
import * as requests from "../../../src/blueprint/requests.ts";
import { catalogOf } from "../../../src/blueprint/validate.ts";
import { contextOf, holds } from "../blueprint/condition-context.ts";
import { choose } from "../../../src/dispatch/strategies.ts";
import { candidate, offerFor } from "../../support/dispatch-builders.ts";
import { orders } from "./orders-blueprint.ts";
import { surveys } from "./surveys-blueprint.ts";

const PAGE = new URL("../../../docs/reference/blueprints.md", import.meta.url);
const EXAMPLES = ["orders", "surveys"] as const;

/** Rows of the tables of conditions: the condition, the job's input, whether it holds. */
function examples(): { condition: string; input: unknown; expected: boolean }[] {
  const rows = readFileSync(PAGE, "utf8").matchAll(/^\| `(.+)` \| `(\{.*\})` \| (yes|no) \|$/gm);
  return [...rows].map(([, condition = "", input = "", answer]) => ({
    condition: condition.replaceAll("\\|", "|"),
    input: JSON.parse(input),
    expected: answer === "yes",
  }));
}

describe("the page on blueprints", () => {
  test.each(EXAMPLES)("shows the example %s that is tested here (UPDATE_DOCS=1 writes it)", (name) => {
    const page = readFileSync(PAGE, "utf8");
    const code = readFileSync(new URL(`${name}-blueprint.ts`, import.meta.url), "utf8");
    const block = new RegExp(`\`\`\`ts title="${name}.ts"\\n[\\s\\S]*?\`\`\``);
    expect(page).toMatch(block);
    const fresh = page.replace(block, () => `\`\`\`ts title="${name}.ts"\n${code}\`\`\``);
    if (process.env["UPDATE_DOCS"] === "1") writeFileSync(PAGE, fresh);
    expect(readFileSync(PAGE, "utf8")).toBe(fresh);
  });

  test.each(examples())("is right about $condition for $input", ({ condition, input, expected }) => {
    expect(holds(condition, input)).toBe(expected);
  });

  test("has every action, every member of a request and every name of a condition", () => {
    const page = readFileSync(PAGE, "utf8");
    expect(examples().length).toBeGreaterThan(20);
    for (const action of Object.keys(actions)) expect(page).toContain(`### \`actions.${action}(`);
    const { taskRequest, childRequest, approvalRequest, eventRequest, sleepRequest, retryPolicy } = requests;
    for (const request of [taskRequest, childRequest, approvalRequest, eventRequest, sleepRequest, retryPolicy]) {
      for (const member of Object.keys(request.shape)) expect(page).toContain(`\`${member}\``);
    }
    for (const member of Object.keys(contextOf({}))) expect(page).toContain(`| \`${member}\` |`);
    for (const name of Object.keys(SCOPE)) expect(page).toContain(`\`${name}\``);
  });
});

test("the deployment's own strategy chooses as the example says", () => {
  expect([...catalogOf([surveys]).keys()]).toEqual(["surveys"]);
  const [near, far, unknown] = [
    candidate("near", { distance_km: 2 }),
    candidate("far", { distance_km: 9 }),
    candidate("unknown"),
  ];
  expect(choose([far, unknown, near], offerFor("t", { strategy: "nearest" }))).toBe(near);
});

test("the example is sound, and asks people about large orders only", () => {
  expect([...catalogOf([orders]).keys()]).toEqual(["orders"]);
  const step = orders.steps.get("check");
  const decided = (amount: number) => {
    const context = contextOf({ pictures: ["a"], amount });
    return step && handlerFor(step, context)?.(context);
  };
  expect(decided(1000)).toEqual({ kind: "transition", to: "pay" });
  expect(decided(1000.5)).toMatchObject({ kind: "await_approval", approval: { message: "Print for 1000.5?" } });
});
