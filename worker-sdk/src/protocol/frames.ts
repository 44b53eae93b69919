import { z } from "zod";
import { identifier, jsonObject } from "./identifiers.ts";
import { taskLimit } from "./worker.ts";
import { progressUpdate, resultAck, taskPayload, taskLog, taskResult, workerEvent } from "./task.ts";

/**
 * Frames of `/_worker/ws/{worker_id}`: one JSON object a text frame, told apart by `type`.
 * A worker that never sends `hello` gets commands only and fetches its tasks by long poll.
 * The text frame `ping` is answered `pong` without waking anything.
 */
export const PING = "ping";
export const PONG = "pong";

const heldTask = z.object({
  job_id: identifier,
  task_id: identifier,
  attempt: z.number().int(),
  lease: z.string(),
  type: z.string().optional(),
});
export type HeldTask = z.infer<typeof heldTask>;

/** What a worker says of itself over its socket, as a heartbeat does by HTTP. */
const workerState = {
  /** `idle`, `busy`; `draining` and `offline` take nothing new. */
  status: z.string().optional(),
  load: z.number().optional(),
  task_limits: z.array(taskLimit).optional(),
  hot_cache: z.array(z.string()).optional(),
  hot_skills: z.array(z.string()).optional(),
  skill_dependencies: z.record(z.string(), z.array(z.string())).optional(),
};

/** First frame of a worker that takes its tasks over the socket: how many at once, of which types, and those it still holds from before. */
export const helloFrame = z.looseObject({
  type: z.literal("hello"),
  slots: z.number().int().min(0),
  supported_tasks: z.array(z.string()),
  current_tasks: z.array(heldTask).default([]),
  ...workerState,
});

/** The worker takes nothing new from here on; what it holds it will finish. */
export const drainFrame = z.looseObject({ type: z.literal("drain") });

/** What has changed of the worker since its hello: how many tasks this orchestrator may have there at once, and so on. */
export const stateFrame = z.looseObject({
  type: z.literal("state"),
  slots: z.number().int().min(0).optional(),
  supported_tasks: z.array(z.string()).optional(),
  ...workerState,
});

export const resultFrame = taskResult.extend({ type: z.literal("result") });
export const progressFrame = progressUpdate.extend({ type: z.literal("progress_update") });

export const eventFrame = workerEvent.extend({ type: z.literal("event") });

export const logFrame = taskLog.extend({ type: z.literal("log") });

export const workerFrame = z.discriminatedUnion("type", [
  helloFrame,
  drainFrame,
  stateFrame,
  resultFrame,
  progressFrame,
  eventFrame,
  logFrame,
]);
export type WorkerFrame = z.infer<typeof workerFrame>;

/** Answer to `hello`: the leases the shard still honours; work on any other held task is to be dropped. */
export const welcomeFrame = z.looseObject({
  type: z.literal("welcome"),
  current_tasks: z.array(identifier),
  /** How far the workers of this shard should spread when they all have to connect again, milliseconds. */
  reconnect_spread_ms: z.number().nonnegative().optional(),
});
export const taskFrame = z.looseObject({ type: z.literal("task"), task: taskPayload });
export const resultAckFrame = resultAck.extend({
  type: z.literal("result_ack"),
  task_id: identifier,
  attempt: z.number().int().optional(),
});
/** `command` is the word existing workers read, `type` the one newer workers read. */
export const cancelFrame = z.looseObject({
  type: z.literal("cancel_task"),
  command: z.literal("cancel_task"),
  task_id: identifier,
  job_id: identifier,
});
/** Answer to an `event` that has an id: its job took it, or will never take it and why. */
export const eventAckFrame = z.looseObject({
  type: z.literal("event_ack"),
  event_id: z.string(),
  status: z.enum(["event_accepted", "error"]),
  message: z.string().optional(),
});
/** The worker is to finish what it holds; at the deadline (seconds since 1970) the rest goes to others. */
export const drainOrderFrame = z.looseObject({
  type: z.literal("drain"),
  command: z.literal("drain"),
  deadline: z.number().optional(),
});
/** The worker is to fetch a newer version of itself, and start it. */
export const updateFrame = z.looseObject({
  type: z.literal("update"),
  command: z.literal("update"),
  version: z.string().optional(),
});
/** Any other word of an operator to a worker; the worker decides what it means. */
export const commandFrame = z.looseObject({
  type: z.literal("command"),
  command: z.string(),
  params: jsonObject.optional(),
});
export const errorFrame = z.looseObject({ type: z.literal("error"), code: z.string(), error: z.string() });

export const serverFrame = z.discriminatedUnion("type", [
  welcomeFrame,
  taskFrame,
  resultAckFrame,
  cancelFrame,
  eventAckFrame,
  drainOrderFrame,
  updateFrame,
  commandFrame,
  errorFrame,
]);
export type ServerFrame = z.infer<typeof serverFrame>;

/**
 * Reads a frame of a worker. Existing workers say `event` where newer ones say `type`, or send an event without either;
 * all are understood.
 * @returns the frame, or the text of what is wrong with it.
 */
export function parseWorkerFrame(text: string): { frame: WorkerFrame } | { error: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { error: "The frame is not JSON." };
  }
  if (typeof value === "object" && value !== null && !("type" in value) && "event" in value) {
    value = { ...value, type: value.event };
  }
  if (typeof value === "object" && value !== null && !("type" in value) && "event_type" in value) {
    value = { ...value, type: "event" };
  }
  const parsed = workerFrame.safeParse(value);
  return parsed.success ? { frame: parsed.data } : { error: z.prettifyError(parsed.error) };
}
