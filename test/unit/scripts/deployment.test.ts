import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { environmentsOf, namesInSecretsFile, readDeployment } from "../../../scripts/deployment.ts";

const wranglerToml = readFileSync(new URL("../../../wrangler.toml", import.meta.url), "utf8");

describe("a deployment needs on the account", () => {
  test.for(["staging", "production"])("of %s", (environment) => {
    expect(readDeployment(wranglerToml, environment)).toEqual({
      databases: [{ binding: "HISTORY_DB", name: `batuta-history-${environment}` }],
      queuesToMake: [`batuta-dead-${environment}`],
      requiredSecrets: ["CLIENTS_TOML", "GLOBAL_WORKER_TOKEN"],
    });
  });

  test("nothing for an environment that does not exist", () => {
    expect(() => readDeployment(wranglerToml, "test")).toThrow("Give --env one of: staging, production.");
  });
});

test("environments are those of wrangler.toml", () => {
  expect(environmentsOf(wranglerToml)).toEqual(["staging", "production"]);
  expect(environmentsOf('name = "x"')).toEqual([]);
});

describe("names in a secrets file are read", () => {
  test("from JSON", () => {
    expect(namesInSecretsFile(' {"A": "1", "B": "2"}')).toEqual(["A", "B"]);
  });
  test("from lines", () => {
    expect(namesInSecretsFile('A=1\nB="two\nlines"\n# C=3\n')).toEqual(["A", "B"]);
  });
});
