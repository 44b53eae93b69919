import { describe, expect, test } from "vitest";
import { ConfigurationError, readConfiguration } from "../../src/configuration.ts";
import type { Env } from "../../src/env.ts";

/** The bindings are of no interest to the settings. */
const read = (variables: Record<string, unknown>) => readConfiguration(variables as unknown as Env);

function faultsOf(variables: Record<string, string>): string {
  try {
    read(variables);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  return "";
}

describe("the settings", () => {
  test("have Avtomatika's defaults where it has them", () => {
    expect(read({})).toEqual({
      environment: "production",
      globalWorkerToken: null,
      maxRetries: 3,
      maxTransitions: 100,
      taskTimeoutMs: 300_000,
      pollMs: 30_000,
      workerTtlMs: 120_000,
      leaseMs: 60_000,
      cancelGraceMs: 30_000,
      handlerTimeoutMs: 30_000,
      jobRetentionMs: 30 * 86_400_000,
      historyRetentionMs: 90 * 86_400_000,
      signedMessages: false,
      orchestratorSecretKey: null,
      signingSecret: null,
      publicUrl: null,
      webhookAllowPrivate: false,
      reconnectGraceMs: 10_000,
      reputation: {
        rewardSuccess: 0.001,
        penaltyTaskFailure: 0.05,
        penaltyContractViolation: 0.2,
        minThreshold: 0.3,
      },
      shards: { names: ["shard-0"], byRegion: new Map(), former: [] },
      spillAfterMs: 2_000,
      dispatchVia: "auto",
      logLevel: "INFO",
      logFormat: "json",
    });
  });

  test.each([
    ["ENVIRONMENT", "staging", { environment: "staging" }],
    ["GLOBAL_WORKER_TOKEN", "secret", { globalWorkerToken: "secret" }],
    ["JOB_MAX_RETRIES", "0", { maxRetries: 0 }],
    ["MAX_TRANSITIONS_PER_JOB", "7", { maxTransitions: 7 }],
    ["WORKER_TIMEOUT_SECONDS", "1.5", { taskTimeoutMs: 1_500 }],
    ["WORKER_POLL_TIMEOUT_SECONDS", "20", { pollMs: 20_000 }],
    ["WORKER_HEALTH_CHECK_INTERVAL_SECONDS", "10", { workerTtlMs: 20_000 }],
    ["LEASE_SECONDS", "30", { leaseMs: 30_000, reconnectGraceMs: 10_000 }],
    ["WEBHOOK_ALLOW_PRIVATE", "true", { webhookAllowPrivate: true }],
    ["WEBHOOK_ALLOW_PRIVATE", "false", { webhookAllowPrivate: false }],
    ["WORKER_SIGNATURES", "required", { signedMessages: true }],
    ["WORKER_SIGNATURES", "off", { signedMessages: false }],
    ["ORCHESTRATOR_SECRET_KEY", "sixteen or more..", { orchestratorSecretKey: "sixteen or more.." }],
    ["DISPATCH_VIA", "queue", { dispatchVia: "queue" }],
    ["LOG_LEVEL", "DEBUG", { logLevel: "DEBUG" }],
    ["LOG_FORMAT", "text", { logFormat: "text" }],
  ])("take %s=%s", (name, value, expected) => {
    expect(read({ [name]: value })).toMatchObject(expected);
  });

  test("give a worker no longer to come back than its lease lasts", () => {
    expect(read({ LEASE_SECONDS: "3" }).reconnectGraceMs).toBe(3_000);
  });

  test("leave bindings and unknown variables aside", () => {
    expect(read({ JOBS: { getByName: () => null }, SOMETHING_ELSE: "x" })).toEqual(read({}));
  });

  test("are read once for each environment", () => {
    const env = {};
    expect(read(env)).toBe(read(env));
    expect(read({})).not.toBe(read(env));
  });
});

describe("a setting that cannot be used", () => {
  test.each([
    ["JOB_MAX_RETRIES", "-1"],
    ["JOB_MAX_RETRIES", "2.5"],
    ["JOB_MAX_RETRIES", "three"],
    ["MAX_TRANSITIONS_PER_JOB", "0"],
    ["WORKER_TIMEOUT_SECONDS", "0"],
    ["WORKER_TIMEOUT_SECONDS", ""],
    ["WORKER_POLL_TIMEOUT_SECONDS", "-3"],
    ["WORKER_HEALTH_CHECK_INTERVAL_SECONDS", "Infinity"],
    ["LEASE_SECONDS", "1 minute"],
    ["WEBHOOK_ALLOW_PRIVATE", "yes"],
    ["WORKER_SIGNATURES", "on"],
    ["ORCHESTRATOR_SECRET_KEY", "short"],
    ["DISPATCH_VIA", "direct"],
    ["LOG_LEVEL", "info"],
    ["LOG_FORMAT", "xml"],
    ["SHARDS", "europe=2"],
    ["FORMER_SHARDS", "somewhere"],
    ["SPILL_AFTER_SECONDS", "0"],
    ["GLOBAL_WORKER_TOKEN", ""],
  ])("is refused and named: %s='%s'", (name, value) => {
    expect(faultsOf({ [name]: value })).toMatch(new RegExp(`^Settings that cannot be used:\\n[^]*at ${name}`));
  });

  // An empty number is read as 0, which here is a value with a meaning: no retries at all.
  test("is refused when it is left empty: JOB_MAX_RETRIES=''", () => {
    expect(faultsOf({ JOB_MAX_RETRIES: "" })).toContain("at JOB_MAX_RETRIES");
  });

  test("is named together with all others", () => {
    const text = faultsOf({ LOG_LEVEL: "LOUD", LEASE_SECONDS: "0", JOB_MAX_RETRIES: "x" });
    for (const name of ["LOG_LEVEL", "LEASE_SECONDS", "JOB_MAX_RETRIES"]) expect(text).toContain(`at ${name}`);
  });

  test("does not carry its value into the error, which goes to callers: it may be a secret in the wrong place", () => {
    for (const name of [
      "LOG_LEVEL",
      "JOB_MAX_RETRIES",
      "DISPATCH_VIA",
      "WORKER_TIMEOUT_SECONDS",
      "WEBHOOK_ALLOW_PRIVATE",
    ]) {
      expect(faultsOf({ [name]: "my-secret-token" })).not.toContain("my-secret-token");
    }
  });
});
