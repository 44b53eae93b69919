import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { STATUSES } from "../../../src/job/status.ts";

const PAGE = new URL("../../../docs/reference/statuses.md", import.meta.url);

function diagram(): string {
  const moves = Object.entries(STATUSES).flatMap(([from, { end, to }]) => [
    ...to.map((next) => `  ${from} --> ${next}`),
    ...(end ? [`  ${from} --> [*]`] : []),
  ]);
  return ["```mermaid", "stateDiagram-v2", "  [*] --> pending", ...moves, "```"].join("\n");
}

test("the page's diagram is the table of the engine (UPDATE_DOCS=1 writes it)", () => {
  const page = readFileSync(PAGE, "utf8");
  const fresh = page.replace(/```mermaid[\s\S]*?```/, diagram());
  if (process.env["UPDATE_DOCS"] === "1") writeFileSync(PAGE, fresh);
  expect(readFileSync(PAGE, "utf8")).toBe(fresh);
});

test("the page explains every status", () => {
  const page = readFileSync(PAGE, "utf8");
  for (const status of Object.keys(STATUSES)) expect(page).toContain(`| \`${status}\` |`);
});
