import type { TaskResult } from "../protocol/index.ts";
import { atLeastRetryAfter, exponentialDelay } from "../backoff.ts";
import type { RequestFailure } from "../http/http-client.ts";
import type { LinkParts } from "../orchestrators/link-parts.ts";
import type { Logger } from "../logger.ts";
import { failure, type Outcome } from "../tasks/outcome.ts";
import { sleep } from "../sleep.ts";

const RETRY_CAP_MS = 60_000;
/** Pauses between rounds of attempts: a result is kept as long as the worker lives, but an overloaded orchestrator is not pressed. */
const ROUND_BOUNDS = { baseMs: 60_000, capMs: 600_000 };

type PostingParts = Pick<LinkParts, "configuration" | "presence" | "http" | "random" | "logger">;

/** Brings results home by HTTP: rounds of a few attempts with growing delays, until it is there or the no is final. */
export class ResultPosting {
  readonly #parts: PostingParts;

  constructor(parts: PostingParts) {
    this.#parts = parts;
  }

  /**
   * Hands one result over, unless `signal` is aborted first. A refusal may be a slip of the operators and is followed by another
   * round, unless the result is unfit.
   * @returns undefined when the orchestrator has it, taken or ignored; else why it could not be handed over
   */
  async post(report: TaskResult, signal: AbortSignal): Promise<RequestFailure | undefined> {
    for (let rounds = 0; ; rounds++) {
      const refusal = await this.#round(report, signal);
      if (refusal === undefined || isUnfit(refusal) || signal.aborted) return refusal;
      await this.#pause(exponentialDelay(rounds, ROUND_BOUNDS, this.#parts.random), refusal, signal);
    }
  }

  /** Waits before the next round; when nobody answered, only until the orchestrator is heard of again. */
  async #pause(ms: number, { status = 503 }: RequestFailure, signal: AbortSignal): Promise<void> {
    const { presence } = this.#parts;
    const over = new AbortController();
    const wake = (): void => over.abort();
    const silent = status >= 502 && status <= 504;
    const stopListening = silent ? presence.onHeard(wake) : () => {};
    signal.addEventListener("abort", wake);
    await sleep(ms, over.signal);
    signal.removeEventListener("abort", wake);
    stopListening();
  }

  async #round(report: TaskResult, signal: AbortSignal): Promise<RequestFailure | undefined> {
    const { configuration, http, random, logger } = this.#parts;
    const { resultMaxRetries, resultRetryInitialDelayMs } = configuration;
    const { job_id, task_id, attempt } = report;
    for (let failures = 0; ; failures++) {
      const reply = await http.sendResult(report, signal);
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

/** A result that is too large or malformed stays so, however often it is sent. */
function isUnfit({ status }: RequestFailure): boolean {
  return status === 413 || status === 400;
}

/** What to report in place of a result the orchestrator did not take, so that its job does not wait for the lease to end. */
export function undeliverable(report: TaskResult, refusal: RequestFailure): TaskResult {
  const result: Outcome = failure({
    code: "PERMANENT_ERROR",
    message: `The result of the task could not be handed over: ${refusal.message}`,
  });
  const { data_metadata: _files, ...ids } = report;
  return { ...ids, result: { ...result } };
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
