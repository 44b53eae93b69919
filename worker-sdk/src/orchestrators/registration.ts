import type { WorkerRegistration } from "../protocol/index.ts";
import { atLeastRetryAfter, exponentialDelay } from "../backoff.ts";
import { RegistrationRefusedError } from "../errors.ts";
import type { RequestFailure } from "../http/http-client.ts";
import type { LinkParts } from "./link-parts.ts";
import { sleep } from "../sleep.ts";

type RegistrationParts = Pick<
  LinkParts,
  "configuration" | "orchestrator" | "presence" | "availability" | "http" | "random" | "logger"
>;

/** Makes the worker known to one orchestrator, at the start and whenever the orchestrator has forgotten it. */
export class Registration {
  readonly #parts: RegistrationParts;
  #currentTasks: (() => string[]) | undefined;

  constructor(parts: RegistrationParts) {
    this.#parts = parts;
  }

  /**
   * Names the tasks in hand at every registration from here on. An orchestrator takes a polling worker that registers for one
   * that starts anew, and offers what it gave it before to others, but for these.
   */
  nameTasks(currentTasks: () => string[]): void {
    this.#currentTasks = currentTasks;
  }

  /**
   * The first registration: tried for ever while the orchestrator is away or overloaded, or until `signal` is aborted.
   * @throws RegistrationRefusedError when the orchestrator refuses the worker (400, 401, 403, …)
   */
  async establish(signal: AbortSignal): Promise<void> {
    await this.#retry(signal, (failure) => {
      if (!failure.retryable) throw this.#refusal(failure);
    });
  }

  /** A later registration. A refusal is tried again too: it may be a slip of the operators, and a fleet should outlive it. */
  async renew(signal: AbortSignal): Promise<void> {
    await this.#retry(signal, () => {});
  }

  /** One try. */
  async attempt(signal: AbortSignal): Promise<RequestFailure | undefined> {
    const reply = await this.#parts.http.register(this.#body(), signal);
    if (reply.ok) {
      const { url } = this.#parts.orchestrator;
      const warning = reply.value?.warning;
      this.#parts.logger.info("worker.registered", { orchestrator: url });
      if (warning) this.#parts.logger.warn("worker.registered_with_warning", { orchestrator: url, warning });
      return undefined;
    }
    if (!signal.aborted) this.#parts.presence.set("away");
    return reply.failure;
  }

  async #retry(signal: AbortSignal, inspect: (failure: RequestFailure) => void): Promise<void> {
    const { registrationBackoff } = this.#parts.configuration;
    for (let failures = 0; !signal.aborted; failures++) {
      const failure = await this.attempt(signal);
      if (failure === undefined || signal.aborted) return;
      inspect(failure);
      const backoffMs = exponentialDelay(failures, registrationBackoff, this.#parts.random);
      const delayMs = Math.round(atLeastRetryAfter(backoffMs, failure.retryAfterMs, this.#parts.random));
      this.#parts.logger.warn("worker.registration_failed", {
        orchestrator: this.#parts.orchestrator.url,
        error: failure.message,
        retry_in_ms: delayMs,
      });
      await sleep(delayMs, signal);
    }
  }

  #body(): WorkerRegistration {
    const { configuration, availability } = this.#parts;
    const { workerId, workerType, maxConcurrentTasks, websockets, profile, skillDependencies } = configuration;
    const { extra, ...machine } = profile;
    const { acceptedTasks, hotCache, hotSkills, draining } = availability;
    const limits = availability.limitsFor();
    return {
      worker_id: workerId,
      worker_type: workerType,
      supported_tasks: acceptedTasks,
      max_concurrent_tasks: maxConcurrentTasks,
      ...(limits.length > 0 && { task_limits: limits }),
      ...(draining && { status: "draining" }),
      ...machine,
      ...(skillDependencies !== undefined && { skill_dependencies: skillDependencies }),
      ...(hotCache.length > 0 && { hot_cache: hotCache }),
      ...(hotSkills !== undefined && { hot_skills: hotSkills }),
      capabilities: { websockets, ...(extra !== undefined && { extra }) },
      ...(this.#currentTasks !== undefined && { current_tasks: this.#currentTasks() }),
    };
  }

  #refusal({ status, message }: RequestFailure): RegistrationRefusedError {
    const { url } = this.#parts.orchestrator;
    const { workerId } = this.#parts.configuration;
    const advice =
      status === 401 || status === 403
        ? "Check WORKER_TOKEN, or WORKER_INDIVIDUAL_TOKEN when the orchestrator has a token for this worker alone; one that wants signed messages needs WORKER_SIGN_MESSAGES=true."
        : "Check ORCHESTRATOR_URL and the worker's options.";
    return new RegistrationRefusedError(
      `The orchestrator at ${url} refused the worker "${workerId}" (${message}). ${advice}`,
      status,
    );
  }
}
