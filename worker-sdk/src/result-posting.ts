import type { TaskPayload } from "./protocol/index.ts";
import { atLeastRetryAfter, exponentialDelay } from "./backoff.ts";
import type { RequestFailure } from "./http-client.ts";
import type { LinkParts } from "./link-parts.ts";
import type { Logger } from "./logger.ts";
import { failure, resultOf, type Outcome } from "./outcome.ts";
import { sleep } from "./sleep.ts";

const RETRY_CAP_MS = 60_000;

type PostingParts = Pick<LinkParts, "configuration" | "http" | "random" | "logger">;

/** Brings results home by HTTP: a few attempts with growing delays, less when the orchestrator's no is final. */
export class ResultPosting {
  readonly #parts: PostingParts;

  constructor(parts: PostingParts) {
    this.#parts = parts;
  }

  /**
   * Hands one outcome over, unless `signal` is aborted first.
   * @returns undefined when the orchestrator has it, taken or ignored; else why it could not be handed over
   */
  async post(task: TaskPayload, outcome: Outcome, signal: AbortSignal): Promise<RequestFailure | undefined> {
    const { configuration, http, random, logger } = this.#parts;
    const { workerId, resultMaxRetries, resultRetryInitialDelayMs } = configuration;
    const { job_id, task_id, attempt } = task;
    const result = resultOf(task, outcome, workerId);
    for (let failures = 0; ; failures++) {
      const reply = await http.sendResult(result, signal);
      if (reply.ok) {
        logAcknowledgement(logger, task_id, reply.value);
        return undefined;
      }
      const { message, retryable, retryAfterMs } = reply.failure;
      if (!retryable || failures + 1 >= resultMaxRetries || signal.aborted) {
        logger.error("result.not_delivered", { job_id, task_id, attempt, error: message });
        return reply.failure;
      }
      const bounds = { baseMs: resultRetryInitialDelayMs, capMs: RETRY_CAP_MS };
      const backoffMs = exponentialDelay(failures, bounds, random);
      const delayMs = Math.round(atLeastRetryAfter(backoffMs, retryAfterMs, random));
      logger.warn("result.retry", { job_id, task_id, attempt, error: message, retry_in_ms: delayMs });
      await sleep(delayMs, signal);
    }
  }
}

/**
 * What to report in place of a result the orchestrator did not take, so that its job does not wait for the lease to end:
 * too large or malformed stays so at the next attempt, everything else may pass.
 */
export function undeliverable({ status, message }: RequestFailure): Outcome {
  const code = status === 413 || status === 400 ? "PERMANENT_ERROR" : "TRANSIENT_ERROR";
  return failure({ code, message: `The result of the task could not be handed over: ${message}` });
}

/** Notes that a result was taken, or that it changed nothing and why. */
export function logAcknowledgement(
  logger: Logger,
  taskId: string,
  ack: { status: string; reason?: string | undefined } | undefined,
): void {
  if (ack?.status === "ignored") logger.warn("result.ignored", { task_id: taskId, reason: ack.reason });
  else logger.debug("result.acknowledged", { task_id: taskId });
}
