import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { settingsSchema, VARIABLES } from "../../../worker-sdk/src/settings/configuration.ts";
import { ORCHESTRATOR_MODES } from "../../../worker-sdk/src/settings/orchestrators.ts";
import { ERROR_CODES } from "../../../worker-sdk/src/protocol/index.ts";

const readme = readFileSync(new URL("../../../worker-sdk/README.md", import.meta.url), "utf8");

const STORE_VARIABLES = ["ENDPOINT_URL", "ACCESS_KEY", "SECRET_KEY", "REGION", "DEFAULT_BUCKET"].map(
  (name) => `S3_${name}`,
);
/** Of the surroundings, of a store that is described elsewhere, or made up by a prefix. */
const OTHERS = ["XDG_STATE_HOME", "WORKER_EXTRA_RACK", "R2_", "TIMEOUT_ERROR", ...ERROR_CODES, ...ORCHESTRATOR_MODES];

/** Rows of the table of settings: option, variable and default as they are written. */
const rows = [...readme.matchAll(/^\| `(\w+)` \| (`[A-Z0-9_]+`[^|]*) \| ([^|]+) \|$/gm)].map(
  ([, option = "", variables = "", fallback = ""]) => ({ option, variables, fallback: fallback.replaceAll("`", "") }),
);

describe("the README of the worker", () => {
  it("names every environment variable there is, and no other", () => {
    const inCode = [...Object.values(VARIABLES).flat(), ...STORE_VARIABLES];
    const inReadme = [...readme.matchAll(/\b[A-Z][A-Z0-9]*_[A-Z0-9_]*/g)].map(([name]) => name);
    expect(inCode.filter((name) => !inReadme.includes(name))).toEqual([]);
    const [, notRead = ""] = /Coming from a Python worker:(.*?)\n\n/s.exec(readme) ?? [];
    const known = (name: string): boolean => [...inCode, ...OTHERS].includes(name) || notRead.includes(name);
    expect(inReadme.filter((name) => !known(name))).toEqual([]);
  });

  it("gives each option its own variables and default", () => {
    const defaults: Record<string, unknown> = settingsSchema.parse({});
    const variables: Record<string, readonly string[]> = VARIABLES;
    const simple = rows.filter(({ option }) => option in defaults && option !== "workerId");
    expect(simple.length).toBeGreaterThan(15);
    for (const { option, variables: written, fallback } of simple) {
      expect([...written.matchAll(/[A-Z0-9_]{3,}/g)].map(([name]) => name)).toEqual(variables[option]);
      const value = defaults[option];
      if (value !== undefined) expect(`${option}: ${fallback}`).toBe(`${option}: ${String(value)}`);
    }
  });
});
