import type { FilesByKey, JsonObject } from "@batuta/worker/protocol";
import type { CompleteBlueprint, JobClient } from "../blueprint/index.ts";
import type { MachineSettings } from "../job/record.ts";
import { MAX_TRANSITIONS } from "../limits.ts";
import type { Moment } from "./duration.ts";
import type { FakeWorker } from "./fake-worker.ts";

/** What a server does that nobody has configured. */
export const DEFAULT_SETTINGS: MachineSettings = {
  maxRetries: 3,
  taskTimeoutMs: 300_000,
  leaseMs: 60_000,
  cancelGraceMs: 30_000,
  maxTransitions: MAX_TRANSITIONS,
};

/** The world a job is put into. */
export interface TestJobOptions {
  /** Who does the tasks, by task type. */
  readonly workers?: Readonly<Record<string, FakeWorker>>;
  /** The other blueprints of the deployment: what the job may run as its children. */
  readonly blueprints?: readonly CompleteBlueprint[];
  /** What the clock shows when the job is created; default the beginning of 2026, UTC. */
  readonly now?: Moment;
  /** Uniform in [0, 1), for the pauses between attempts; default always 0.5. */
  readonly random?: number | (() => number);
  readonly client?: Partial<JobClient>;
  readonly metadata?: JsonObject;
  /** What the client says of files, by the keys of the input that name them, or with their `uri`. */
  readonly dataMetadata?: FilesByKey;
  /** Where the client is told; `job.notices` has what would be sent there. */
  readonly webhookUrl?: string;
  /** When the job is to begin; default at once. */
  readonly startAt?: Moment;
  /** Limits for tasks that name none of their own. */
  readonly dispatchTimeoutSeconds?: number;
  readonly resultTimeoutSeconds?: number;
  /** The deployment's settings, where they are not the defaults; durations in ms. */
  readonly settings?: Partial<Omit<MachineSettings, "leaseMs">>;
  /** Steps that all jobs together may take in one call; default 10,000. A job that takes more is stopped as one that runs in a circle. */
  readonly maxSteps?: number;
}
