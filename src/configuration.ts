import { z } from "zod";
import type { ReputationSettings } from "./dispatch/reputation.ts";
import type { Env } from "./env.ts";
import { MAX_TRANSITIONS } from "./limits.ts";
import { parseShards, type ShardPlan } from "./registry/shard-plan.ts";

/** Variables are texts, or numbers where `wrangler.toml` has them as such. An empty text is no number, not 0. */
const number = z
  .union([z.number(), z.string().regex(/\S/, "is empty; leave it out for the default")])
  .pipe(z.coerce.number());
const seconds = (fallback: number) => number.pipe(z.number().positive()).default(fallback);
const share = (fallback: number) => number.pipe(z.number().min(0).max(1)).default(fallback);

/** The variables an operator may set, with Avtomatika's names and defaults where it has them (reference F.1). */
const variables = z
  .object({
    ENVIRONMENT: z.string().default("production"),
    GLOBAL_WORKER_TOKEN: z.string().min(1).optional(),
    JOB_MAX_RETRIES: number.pipe(z.int().min(0)).default(3),
    MAX_TRANSITIONS_PER_JOB: number.pipe(z.int().positive()).default(MAX_TRANSITIONS),
    WORKER_TIMEOUT_SECONDS: seconds(300),
    WORKER_POLL_TIMEOUT_SECONDS: seconds(30),
    WORKER_HEALTH_CHECK_INTERVAL_SECONDS: seconds(60),
    LEASE_SECONDS: seconds(60),
    CANCEL_GRACE_SECONDS: seconds(30),
    HANDLER_TIMEOUT_SECONDS: seconds(30),
    JOB_RETENTION_DAYS: seconds(30),
    HISTORY_RETENTION_DAYS: seconds(90),
    /** Signs approval links. Without it there are none. */
    SIGNING_SECRET: z.string().min(16, "must have 16 characters or more").optional(),
    /** Where people reach this deployment, for the links in messages. */
    PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
    /** Lets webhooks go to private addresses, for receivers on the same machine or network. */
    WEBHOOK_ALLOW_PRIVATE: z.stringbool({ truthy: ["true"], falsy: ["false"] }).default(false),
    REPUTATION_REWARD_SUCCESS: share(0.001),
    REPUTATION_PENALTY_TASK_FAILURE: share(0.05),
    REPUTATION_PENALTY_CONTRACT_VIOLATION: share(0.2),
    REPUTATION_MIN_THRESHOLD: share(0.3),
    /** A number as well, where `wrangler.toml` has it as such. */
    SHARDS: z.coerce.string().optional(),
    FORMER_SHARDS: z.string().optional(),
    SPILL_AFTER_SECONDS: seconds(2),
    /** Whether workers' messages must be signed with their tokens. */
    WORKER_SIGNATURES: z.enum(["off", "required"]).default("off"),
    /** Signs the tasks that workers are handed; named as published workers name it. */
    ORCHESTRATOR_SECRET_KEY: z.string().min(16, "must have 16 characters or more").optional(),
    DISPATCH_VIA: z.enum(["auto", "queue"]).default("auto"),
    LOG_LEVEL: z.enum(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]).default("INFO"),
    LOG_FORMAT: z.enum(["json", "text"]).default("json"),
  })
  .transform((data, context) => {
    const shards = parseShards(data.SHARDS, data.FORMER_SHARDS);
    if (shards.ok) return { ...data, shards: shards.value };
    const [name = ""] = shards.error.split(" ");
    context.addIssue({ code: "custom", path: [name], message: shards.error });
    return z.NEVER;
  });

const DAY_MS = 86_400_000;

/** How long a worker whose socket broke may take to come back before its tasks go to others, unless the lease is shorter. */
const RECONNECT_GRACE_MS = 10_000;

/** The deployment's settings, durations in ms. */
export interface Configuration {
  readonly environment: string;
  readonly globalWorkerToken: string | null;
  readonly maxRetries: number;
  readonly maxTransitions: number;
  readonly taskTimeoutMs: number;
  readonly pollMs: number;
  /** A worker without an open socket counts as gone after this long without a word. */
  readonly workerTtlMs: number;
  readonly leaseMs: number;
  /** How long a cancelled job waits for its worker's answer. */
  readonly cancelGraceMs: number;
  /** How long a handler may take; then its step counts as failed. */
  readonly handlerTimeoutMs: number;
  /** How long an ended job stays in its object before it goes to the archive. */
  readonly jobRetentionMs: number;
  /** How long history is kept, and archived jobs with it. */
  readonly historyRetentionMs: number;
  readonly signingSecret: string | null;
  /** Without a slash at the end; null where nobody said. */
  readonly publicUrl: string | null;
  /** Whether webhooks may go to addresses of a private network. */
  readonly webhookAllowPrivate: boolean;
  readonly reconnectGraceMs: number;
  readonly reputation: ReputationSettings;
  /** The registry's shards. */
  readonly shards: ShardPlan;
  /** How long a task waits in its shard before it may go to another. */
  readonly spillAfterMs: number;
  /** Whether messages of workers are taken only when they are signed. */
  readonly signedMessages: boolean;
  /** Tasks are signed with it; null where they are not. */
  readonly orchestratorSecretKey: string | null;
  readonly dispatchVia: "auto" | "queue";
  readonly logLevel: "DEBUG" | "INFO" | "WARNING" | "ERROR" | "CRITICAL";
  readonly logFormat: "json" | "text";
}

/** A setting that cannot be used, with its name and what is wrong. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
}

const read = new WeakMap<object, Configuration>();

/**
 * Reads the settings once per isolate.
 * @throws {ConfigurationError} naming each variable that cannot be used
 */
export function readConfiguration(env: Env): Configuration {
  const known = read.get(env);
  if (known !== undefined) return known;
  const parsed = variables.safeParse(env);
  if (!parsed.success) {
    throw new ConfigurationError(`Settings that cannot be used:\n${z.prettifyError(parsed.error)}`);
  }
  const { data } = parsed;
  const leaseMs = data.LEASE_SECONDS * 1000;
  const configuration: Configuration = {
    environment: data.ENVIRONMENT,
    globalWorkerToken: data.GLOBAL_WORKER_TOKEN ?? null,
    maxRetries: data.JOB_MAX_RETRIES,
    maxTransitions: data.MAX_TRANSITIONS_PER_JOB,
    taskTimeoutMs: data.WORKER_TIMEOUT_SECONDS * 1000,
    pollMs: data.WORKER_POLL_TIMEOUT_SECONDS * 1000,
    workerTtlMs: 2 * data.WORKER_HEALTH_CHECK_INTERVAL_SECONDS * 1000,
    leaseMs,
    cancelGraceMs: data.CANCEL_GRACE_SECONDS * 1000,
    handlerTimeoutMs: data.HANDLER_TIMEOUT_SECONDS * 1000,
    jobRetentionMs: data.JOB_RETENTION_DAYS * DAY_MS,
    historyRetentionMs: data.HISTORY_RETENTION_DAYS * DAY_MS,
    signingSecret: data.SIGNING_SECRET ?? null,
    publicUrl: data.PUBLIC_URL?.replace(/\/+$/, "") ?? null,
    webhookAllowPrivate: data.WEBHOOK_ALLOW_PRIVATE,
    reconnectGraceMs: Math.min(RECONNECT_GRACE_MS, leaseMs),
    reputation: {
      rewardSuccess: data.REPUTATION_REWARD_SUCCESS,
      penaltyTaskFailure: data.REPUTATION_PENALTY_TASK_FAILURE,
      penaltyContractViolation: data.REPUTATION_PENALTY_CONTRACT_VIOLATION,
      minThreshold: data.REPUTATION_MIN_THRESHOLD,
    },
    shards: data.shards,
    spillAfterMs: data.SPILL_AFTER_SECONDS * 1000,
    signedMessages: data.WORKER_SIGNATURES === "required",
    orchestratorSecretKey: data.ORCHESTRATOR_SECRET_KEY ?? null,
    dispatchVia: data.DISPATCH_VIA,
    logLevel: data.LOG_LEVEL,
    logFormat: data.LOG_FORMAT,
  };
  read.set(env, configuration);
  return configuration;
}
