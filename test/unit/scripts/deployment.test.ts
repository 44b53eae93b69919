import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { environmentsOf, missingSecrets, namesInSecretsFile, readDeployment } from "../../../scripts/deployment.ts";

const wranglerToml = readFileSync(new URL("../../../wrangler.toml", import.meta.url), "utf8");

describe("a deployment needs on the account", () => {
  test.for(["staging", "production"])("of %s", (environment) => {
    expect(readDeployment(wranglerToml, environment)).toEqual({
      databases: [{ binding: "HISTORY_DB", name: `batuta-history-${environment}` }],
      queuesToMake: [`batuta-dead-${environment}`],
      requiredSecrets: ["CLIENTS_TOML", "GLOBAL_WORKER_TOKEN"],
      variables: ["ENVIRONMENT"],
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

describe("secrets are missing", () => {
  const deployment = readDeployment(wranglerToml, "production");
  const required = ["CLIENTS_TOML", "GLOBAL_WORKER_TOKEN"];

  test("when wrangler.toml requires them", () => {
    expect(missingSecrets(deployment, new Set(["CLIENTS_TOML"]))).toEqual(["GLOBAL_WORKER_TOKEN"]);
    expect(missingSecrets(deployment, new Set(required))).toEqual([]);
  });

  test("when workers must sign and nothing seals the keys of their sockets", () => {
    const signing = wranglerToml.replaceAll("[env.production.vars]", '$&\nWORKER_SIGNATURES = "required"');
    const { requiredSecrets } = readDeployment(signing, "production");
    expect(requiredSecrets).toEqual([...required, "SIGNING_SECRET"]);
  });

  test("when people are asked and nothing signs their links", () => {
    expect(missingSecrets(deployment, new Set([...required, "INTEGRATIONS_TOML"]))).toEqual(["SIGNING_SECRET"]);
    expect(missingSecrets(deployment, new Set([...required, "INTEGRATIONS_TOML", "SIGNING_SECRET"]))).toEqual([]);
  });
});

describe("names in a secrets file are read", () => {
  test("from JSON", () => {
    expect(namesInSecretsFile(' {"A": "1", "B": "2"}')).toEqual(["A", "B"]);
  });
  test("from lines", () => {
    expect(namesInSecretsFile('A=1\nB="two\nlines"\n# C=3\n')).toEqual(["A", "B"]);
  });
});
