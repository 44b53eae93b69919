import { jsonObject, type JsonObject } from "@batuta/worker/protocol";
import { z } from "zod";
import { resourceRequirements, type ResourceRequirements } from "../dispatch/requirements.ts";
import { isStrategy, type CustomStrategy, type DispatchStrategy } from "../dispatch/strategies.ts";
import { MAX_APPROVERS, MAX_DURATION_SECONDS, MAX_TASK_NAMES } from "../limits.ts";
import { REGIONS, type Region } from "../registry/regions.ts";

/** When and how often a failure that may pass is tried again. What is left out is the deployment's default. */
export interface RetryPolicy {
  /** Attempts in all, the first included. Default JOB_MAX_RETRIES + 1. */
  readonly maxAttempts?: number;
  /** Bound of the first wait, ms; default 1,000. The wait is chosen evenly between 0 and the bound. */
  readonly initialMs?: number;
  /** Highest bound, ms; default 60,000. */
  readonly maxMs?: number;
  /** What the bound is multiplied by from one retry to the next; default 2. */
  readonly factor?: number;
}

/** What a handler asks of a worker. */
export interface TaskRequest {
  /** The task type a worker must support. */
  readonly type: string;
  /** Anything that JSON can carry, 256 KB at most. */
  readonly params?: unknown;
  /** How a worker is chosen among those that fit; see docs/reference/blueprints.md. */
  readonly dispatchStrategy?: DispatchStrategy | CustomStrategy;
  /** What the worker's machine must have: `{ gpu_info: { model, vram_gb }, ram_gb: 16, installed_models: [...] }`. */
  readonly resourceRequirements?: ResourceRequirements;
  /** Words the worker must bear, all of them. */
  readonly tags?: readonly string[];
  /** The only workers that may take it, by id. */
  readonly requiredWorkers?: readonly string[];
  /** Workers that may not take it, by id. */
  readonly excludedWorkers?: readonly string[];
  /** Exact version of the worker's skill for the type; only workers that tell one fit. */
  readonly skillVersion?: string;
  /** Exact type of the worker's skill. */
  readonly skillType?: string;
  /** Longest run of one attempt, counted from the moment a worker takes it. Default WORKER_TIMEOUT_SECONDS. */
  readonly timeoutSeconds?: number;
  /** Longest wait of one attempt for a worker to take it. Default none: the task waits for a worker. */
  readonly dispatchTimeoutSeconds?: number;
  /** Longest time from the first dispatch to a result, waiting and retries included. Default none. */
  readonly resultTimeoutSeconds?: number;
  readonly retry?: RetryPolicy;
  /** Highest cost of a worker that may take the task: its `cost_per_skill` for the type, else its `cost_per_second`. */
  readonly maxCost?: number;
  /** Where it should run if a worker is free there; see docs/reference/settings.md. Default the blueprint's, then the client's. */
  readonly region?: Region;
  /** Larger goes first; default 0. A task that waits long enough passes more important ones: none starves. */
  readonly priority?: number;
}

/** A job of another blueprint (or of the same one) that the job waits for. */
export interface ChildRequest {
  /** Name of the blueprint. */
  readonly blueprint: string;
  /** The child's input, checked by its blueprint's schema. Default `{}`. */
  readonly initialData?: JsonObject;
  /** Longest wait for the child's end; then it is cancelled. Default none. */
  readonly timeoutSeconds?: number;
  /** The key of `state_history` for the child's outcome; default `sub_job_{child id}_result`. Not used by `runParallel`. */
  readonly into?: string;
}

/** A question to people. */
export interface ApprovalRequest {
  /** What is to be decided, for the one who decides. */
  readonly message: string;
  /** Name of a channel of the deployment's `integrations.toml` that carries the question; default none. */
  readonly integration?: string;
  /** How long the decision may take; default for ever. */
  readonly timeoutSeconds?: number;
  /** Who may decide; default everyone who is asked. */
  readonly deciders?: readonly string[];
  /** How many different people must say `approved`; default 1. Any other word counts at once. */
  readonly approvals?: number;
  /** Shown with the question. */
  readonly data?: JsonObject;
}

/** An event to wait for. */
export interface EventRequest {
  /** Name of the event: letters, digits, `_`, `-`. */
  readonly event: string;
  readonly timeoutSeconds?: number;
  /** The key of `state_history` for the event's data; default the event's name. */
  readonly into?: string;
}

/** A pause: for some seconds, or until a moment (ISO 8601, epoch ms or a Date). One of the two. */
export interface SleepRequest {
  readonly seconds?: number;
  readonly until?: string | number | Date;
}

// The same as checks: a blueprint in JavaScript, or one that was never type-checked, may hand over anything.

const seconds = z.number().positive().max(MAX_DURATION_SECONDS);
const word = z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/, "must be 1 to 64 letters, digits, '_' or '-'");

const names = z.array(z.string().min(1).max(128)).max(MAX_TASK_NAMES);

export const retryPolicy = z.object({
  maxAttempts: z.int().positive().optional(),
  initialMs: z.number().min(0).optional(),
  maxMs: z.number().min(0).optional(),
  factor: z.number().min(1).optional(),
});

export const taskRequest = z.object({
  type: z.string().min(1),
  params: z.unknown().optional(),
  dispatchStrategy: z
    .string()
    .refine(isStrategy, { error: ({ input }) => `there is no strategy called ${JSON.stringify(input)}` })
    .optional(),
  resourceRequirements: resourceRequirements.optional(),
  tags: names.optional(),
  requiredWorkers: names.optional(),
  excludedWorkers: names.optional(),
  skillVersion: z.string().min(1).optional(),
  skillType: z.string().min(1).optional(),
  timeoutSeconds: seconds.optional(),
  dispatchTimeoutSeconds: seconds.optional(),
  resultTimeoutSeconds: seconds.optional(),
  retry: retryPolicy.optional(),
  maxCost: z.number().min(0).optional(),
  region: z.enum(REGIONS).optional(),
  priority: z.number().optional(),
});

export const childRequest = z.object({
  blueprint: z.string().min(1),
  initialData: jsonObject.optional(),
  timeoutSeconds: seconds.optional(),
  into: z.string().min(1).optional(),
});

export const approvalRequest = z
  .object({
    message: z.string().min(1).max(2_000),
    integration: word.optional(),
    timeoutSeconds: seconds.optional(),
    deciders: z.array(z.string().min(1).max(200)).min(1).max(MAX_APPROVERS).optional(),
    approvals: z.int().positive().max(MAX_APPROVERS).optional(),
    data: jsonObject.optional(),
  })
  .refine(({ deciders, approvals = 1 }) => deciders === undefined || new Set(deciders).size >= approvals, {
    message: "asks for more approvals than there are deciders",
    path: ["approvals"],
  });

export const eventRequest = z.object({
  event: word,
  timeoutSeconds: seconds.optional(),
  into: z.string().min(1).optional(),
});

export const sleepRequest = z
  .object({
    seconds: z.number().min(0).max(MAX_DURATION_SECONDS).optional(),
    until: z.coerce.date().optional(),
  })
  .refine((sleep) => (sleep.seconds === undefined) !== (sleep.until === undefined), {
    message: "needs either 'seconds' or 'until'",
  });
