import { JOB_LOG_LEVELS, jsonObject } from "@batuta/worker/protocol";
import { z } from "zod";

/**
 * What can happen to a job, as history tells it (spec §6). The first six are Avtomatika's words; the rest fill in
 * what it leaves out.
 */
const JOB_EVENT_TYPES = [
  "state_started",
  "state_finished",
  "state_failed",
  "task_dispatched",
  "task_finished",
  "sub_blueprint_started",
  "job_created",
  "task_lost",
  "parallel_dispatched",
  "job_finished",
  "job_failed",
  "job_quarantined",
  "job_cancelled",
  "cancel_requested",
  "job_paused",
  "job_resumed",
  "job_moved",
  "job_patched",
  "job_retried",
  "job_discarded",
  "job_migrated",
  "timed_out",
  "approval_requested",
  "approval_decided",
  "event_awaited",
  "event_received",
  "timer_started",
  "worker_event",
  "sub_blueprint_finished",
  "files_forgotten",
] as const;

/** What can happen to a worker, as history tells it. */
const WORKER_EVENT_TYPES = [
  "registered",
  "status_update",
  "drained",
  "undrained",
  "reputation_reset",
  "expired",
] as const;

const epochMs = z.number().int().nonnegative();

/** One thing that happened to a job. `(job_id, seq)` names it for ever, so that writing it twice writes it once. */
const jobEvent = z.object({
  /** Counts the events of one job, from 1. */
  seq: z.number().int().positive(),
  event_type: z.enum(JOB_EVENT_TYPES),
  /** State of the blueprint the job was in. */
  state: z.string(),
  at: epochMs,
  /** Status of the job when it happened. */
  status: z.string().optional(),
  duration_ms: z.number().optional(),
  attempt_number: z.number().int().optional(),
  previous_state: z.string().optional(),
  next_state: z.string().optional(),
  worker_id: z.string().optional(),
  task_id: z.string().optional(),
  error: z.string().optional(),
  /** For what people did: `{ by, reason, … }`. */
  context_snapshot: z.unknown().optional(),
});
export type JobEvent = z.infer<typeof jobEvent>;

/** A job as its newest event leaves it. Times are epoch ms. */
const jobSummary = z.object({
  job_id: z.string().min(1),
  /** Name of the client that owns the job. */
  client: z.string(),
  blueprint: z.string(),
  status: z.string(),
  current_state: z.string(),
  created_at: epochMs,
  updated_at: epochMs,
  finished_at: epochMs.nullable(),
  blueprint_version: z.number().int().default(1),
  /** The error of a job that failed or is quarantined; of a live one, the newest. */
  error: z.string().nullable().default(null),
  /** The job that waits for this one as its child. */
  parent_id: z.string().nullable().default(null),
});
export type JobSummary = z.infer<typeof jobSummary>;

const workerEvent = z.object({
  /** Made by the sender, once for each event: a repeated message must repeat it. */
  id: z.string().min(1),
  worker_id: z.string().min(1),
  event_type: z.enum(WORKER_EVENT_TYPES),
  at: epochMs,
  worker_info_snapshot: z.unknown().optional(),
});
export type WorkerEvent = z.infer<typeof workerEvent>;

const jobHistoryMessage = z.object({
  v: z.literal(1),
  job: jobSummary,
  /** In order of `seq`; the summary is that of the last one. */
  events: z.array(jobEvent).min(1),
});
export type JobHistoryMessage = z.infer<typeof jobHistoryMessage>;

const workerHistoryMessage = z.object({ v: z.literal(1), worker_event: workerEvent });

const logLine = z.object({
  /** Within its task and time; lines of one time are in this order. */
  id: z.string().min(1),
  at: epochMs,
  level: z.enum(JOB_LOG_LEVELS),
  message: z.string(),
  fields: jsonObject.optional(),
});
export type LogLine = z.infer<typeof logLine>;

const taskLogMessage = z.object({
  v: z.literal(1),
  task_log: z.object({
    job_id: z.string().min(1),
    task_id: z.string().min(1),
    worker_id: z.string(),
    attempt: z.number().int(),
    lines: z.array(logLine).min(1),
  }),
});
export type TaskLogMessage = z.infer<typeof taskLogMessage>;

/** Body of a message of the history queue. Delivered at least once and in any order. */
export const historyMessage = z.union([jobHistoryMessage, workerHistoryMessage, taskLogMessage]);
export type HistoryMessage = z.infer<typeof historyMessage>;
