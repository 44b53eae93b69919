import type { TaskLog } from "../protocol/index.ts";
import { atLeastRetryAfter, exponentialDelay } from "../backoff.ts";
import type { LinkParts } from "../orchestrators/link-parts.ts";
import type { NamedEvent } from "../tasks/pooled-task.ts";
import { sleep } from "../sleep.ts";
import type { EventAnswer } from "../tasks/task-context.ts";

const RETRY_BOUNDS = { baseMs: 1_000, capMs: 30_000 };

type PostingParts = Pick<LinkParts, "configuration" | "http" | "random" | "logger">;

/** Brings an event to its job by HTTP: tries until it is answered or `signal` is aborted. */
export async function postEvent(
  { configuration, http, random, logger }: PostingParts,
  event: NamedEvent,
  signal: AbortSignal,
): Promise<EventAnswer> {
  for (let failures = 0; !signal.aborted; failures++) {
    const reply = await http.sendEvent({ ...event, worker_id: configuration.workerId }, signal);
    if (reply.ok) return reply.value === undefined ? { accepted: true } : eventAnswer(reply.value);
    const { message, retryable, retryAfterMs } = reply.failure;
    if (!retryable) return { accepted: false, reason: message };
    const delayMs = atLeastRetryAfter(exponentialDelay(failures, RETRY_BOUNDS, random), retryAfterMs, random);
    logger.warn("event.retry", { event_type: event.event_type, error: message, retry_in_ms: Math.round(delayMs) });
    await sleep(delayMs, signal);
  }
  return { accepted: false, reason: "The task ended, or was aborted, before the orchestrator answered." };
}

/** Reads how an orchestrator answered an event. */
export function eventAnswer({ status, message }: { status: string; message?: string | undefined }): EventAnswer {
  if (status === "event_accepted") return { accepted: true };
  return { accepted: false, reason: message ?? `The orchestrator answered ${status}.` };
}

/** Passes log lines on by HTTP. @returns whether they are done with: taken, or such as will never be taken */
export async function postLog({ configuration, http, logger }: PostingParts, log: TaskLog): Promise<boolean> {
  const reply = await http.sendLog({ ...log, worker_id: configuration.workerId });
  if (reply.ok) return true;
  logger.debug("log.not_sent", { task_id: log.task_id, error: reply.failure.message });
  return !reply.failure.retryable;
}
