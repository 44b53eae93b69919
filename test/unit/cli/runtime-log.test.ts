import { expect, test } from "vitest";
import { createRuntimeLog } from "../../../cli/src/server/runtime-log.ts";
import { explainStartException } from "../../../cli/src/server/start-exception.ts";

test("lines are held until the Worker has started", () => {
  const lines: string[] = [];
  const log = createRuntimeLog((line) => lines.push(line));
  log.add("early");
  expect(lines).toEqual([]);
  log.open();
  log.add("late");
  expect(lines).toEqual(["early", "late"]);
});

test("the exception that stopped the start is found among what follows from it", () => {
  const log = createRuntimeLog(() => {});
  log.add("service core:user:batuta: Uncaught Error: BlueprintError: no start state\n  at file:///bundle/index.js:1:1");
  log.add('A DurableObjectNamespace in the config referenced the class "JobObject", but no such class is exported.');
  expect(log.startFailure()).toContain("BlueprintError: no start state");
});

test("a start that failed for another reason has none", () => {
  const log = createRuntimeLog(() => {});
  log.add("something else");
  expect(log.startFailure()).toBeUndefined();
});

test("the exception is told with its places in the blueprints, not in the bundle", () => {
  // One line of mine.ts stands in line 1 of the bundle.
  const sourceMap = JSON.stringify({ version: 3, sources: ["/home/me/mine.ts"], names: [], mappings: "AAEI" });
  const text =
    "Error: BlueprintError: no start state\n  at file:///bundle/index.js:1:1\n  at file:///bundle/index.js:1:1";
  expect(explainStartException(text, { sourceMap })).toBe("BlueprintError: no start state\n  at /home/me/mine.ts:3:5");
});
