import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parsePolicy } from "../../../src/dispatch/policy.ts";

const PAGE = new URL("../../../docs/reference/settings.md", import.meta.url);

test("the page's dispatch.toml is one, and uses every key there is", () => {
  const [, toml = ""] = /## Limits and shares[\s\S]*?```toml\n([\s\S]*?)```/.exec(readFileSync(PAGE, "utf8")) ?? [];
  const parsed = parsePolicy(toml);
  expect(parsed.ok ? parsed.value : parsed.error).toEqual({
    agingMs: 60_000,
    taskTypes: new Map([
      [
        "transcode",
        {
          maxConcurrent: 20,
          rate: { limit: 100, periodMs: 60_000 },
          ramp: { version: "2.0", percent: 10 },
        },
      ],
    ]),
    clients: new Map([["shop", { weight: 2, maxConcurrent: 50, rate: { limit: 1_000, periodMs: 60_000 } }]]),
  });
});
