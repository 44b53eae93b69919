import { z } from "zod";
import { filesByKey } from "./files.ts";
import { identifier, jsonObject } from "./identifiers.ts";

/** A task on its way to a worker (spec §5). `attempt` and `lease` come back with the result; workers that do not know them may leave them out. */
export const taskPayload = z.looseObject({
  job_id: identifier,
  task_id: identifier,
  type: z.string(),
  params: z.unknown(),
  tracing_context: z.record(z.string(), z.string()),
  priority: z.number(),
  attempt: z.number().int().positive(),
  lease: z.string(),
  /** Latest time for the result, whole seconds since 1970; absent when the task has no time limit. */
  deadline: z.number().optional(),
  /** What is known of the files that the params name, each by the keys that lead to its address. Absent when nothing is. */
  params_metadata: filesByKey.nullish(),
  /** Where the orchestrator signs its tasks: when it handed this one over, whole seconds since 1970. */
  timestamp: z.number().optional(),
  /** Covers all members but the signatures. */
  orchestrator_signature: z.string().optional(),
  /** Covers what published workers know of a task. */
  sig: z.string().optional(),
});
export type TaskPayload = z.infer<typeof taskPayload>;

/** The error codes with a meaning to the orchestrator; any other code is treated as transient (spec §4). */
export const ERROR_CODES = [
  "TRANSIENT_ERROR",
  "PERMANENT_ERROR",
  "INVALID_INPUT_ERROR",
  "CONTRACT_VIOLATION_ERROR",
  "INTEGRITY_MISMATCH_ERROR",
  "DEPENDENCY_ERROR",
  "SECURITY_ERROR",
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

/** Why a task failed. A bare string is accepted from workers that send one. */
export const taskError = z.union([
  z.string(),
  z.looseObject({ code: z.string().optional(), message: z.string().optional() }),
]);
export type TaskError = z.infer<typeof taskError>;

/**
 * What became of a task: `success`, `failure`, `cancelled`, or a word of the blueprint's own. Without a word it is a
 * `failure` when there is an `error`, else a `success`.
 */
export const taskOutcome = z
  .looseObject({
    status: z.string().optional(),
    data: z.unknown().optional(),
    error: taskError.nullish(),
    /** What is known of the files that `data` names. */
    data_metadata: filesByKey.nullish(),
  })
  .transform((said) => ({ ...said, status: said.status ?? (said.error == null ? "success" : "failure") }));
export type TaskOutcome = z.infer<typeof taskOutcome>;

/** Body of `POST /_worker/tasks/result` (spec §5). */
export const taskResult = z.looseObject({
  job_id: identifier,
  task_id: identifier,
  worker_id: identifier.optional(),
  attempt: z.number().int().positive().optional(),
  lease: z.string().optional(),
  result: taskOutcome.default({ status: "success" }),
  /** As in `result`: workers put it in either place. */
  data_metadata: filesByKey.nullish(),
});
export type TaskResult = z.infer<typeof taskResult>;

/** The later generation puts status, data and error beside the ids, and leaves out what is the default (reference D.9). */
function nested(body: unknown): unknown {
  const flat = flatResult.safeParse(body);
  if (!flat.success || flat.data.result !== undefined) return body;
  const { result: _result, status, data, error, data_metadata, security: _security, ...ids } = flat.data;
  return { ...ids, result: { status, data, error, ...(data_metadata !== undefined && { data_metadata }) } };
}

const flatResult = z.looseObject({
  result: z.unknown().optional(),
  status: z.unknown().optional(),
  data: z.unknown().optional(),
  error: z.unknown().optional(),
  data_metadata: z.unknown().optional(),
  security: z.unknown().optional(),
});

/** A result as either generation of workers posts it. */
export const reportedResult = z.preprocess(nested, taskResult);

/** Why a result changed nothing. */
export const IGNORED_REASONS = ["job_not_found", "worker_mismatch", "stale_task", "job_already_terminated"] as const;
export type IgnoredReason = (typeof IGNORED_REASONS)[number];

/** Answer to a result: how it was taken, or why it was ignored. */
export const resultAck = z.object({
  status: z.enum([
    "result_accepted_success",
    "result_accepted_failure",
    "result_accepted_cancelled",
    "parallel_branch_result_accepted",
    "ignored",
  ]),
  reason: z.enum(IGNORED_REASONS).optional(),
  message: z.string().optional(),
});
export type ResultAck = z.infer<typeof resultAck>;

/** A word from a running task about how far it is. */
export const progressUpdate = z.looseObject({
  task_id: identifier,
  job_id: identifier,
  progress: z.number().min(0).max(1),
  message: z.string().optional(),
});
export type ProgressUpdate = z.infer<typeof progressUpdate>;

/**
 * What a worker says while it does a task, in the later generation's words (reference D.9): `event_type` `progress` tells
 * how far it is, any other may move the job on. `event_id` makes a repeated event count once.
 */
export const workerEvent = z.looseObject({
  worker_id: identifier.optional(),
  event_id: z.string().max(200).optional(),
  event_type: z.string().min(1).max(100),
  payload: z.record(z.string(), z.unknown()).nullish(),
  target_job_id: identifier,
  target_task_id: identifier,
});
export type WorkerEvent = z.infer<typeof workerEvent>;

/** What the payload of a `progress` event says. */
export const progressPayload = z.looseObject({ progress: z.number().min(0).max(1), message: z.string().nullish() });

export const JOB_LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type JobLogLevel = (typeof JOB_LOG_LEVELS)[number];

/** A line that a running task writes to the log of its job. `at` is epoch milliseconds by the worker's clock; a fraction orders the lines of one millisecond. */
export const jobLogLine = z.looseObject({
  at: z.number(),
  level: z.enum(JOB_LOG_LEVELS).catch("info"),
  message: z.string(),
  fields: jsonObject.optional(),
});
export type JobLogLine = z.infer<typeof jobLogLine>;

/** Body of `POST /_worker/tasks/log`. */
export const taskLog = z.looseObject({ job_id: identifier, task_id: identifier, lines: z.array(jobLogLine) });
export type TaskLog = z.infer<typeof taskLog>;
