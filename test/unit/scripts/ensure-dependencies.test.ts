import { expect, test } from "vitest";
import { explain } from "../../../scripts/ensure-dependencies.mjs";

test.for([
  ["npm error code ENOTFOUND\nnpm error network request failed", "this machine seems to have no network"],
  ["npm error code ECONNREFUSED", "npm's registry does not answer"],
  ["npm error code ENOSPC", "The disk is full."],
  ["npm error code EACCES\nnpm error path /srv/node_modules", "npm may not write here"],
  ["npm error code ETARGET", "does not have a package that is needed"],
  ["npm error code ESOMETHING", "npm failed."],
] as const)("%j is explained", ([output, reason]) => {
  expect(explain(output)).toContain(reason);
});

test("npm's last lines follow the explanation", () => {
  const output = Array.from({ length: 40 }, (_, line) => `npm error line ${line}`).join("\n");
  const told = explain(output).split("\n");
  expect(told.at(-1)).toBe("  npm error line 39");
  expect(told).toHaveLength(17);
});
