import { z } from "zod";
import {
  resultAck,
  taskPayload,
  type Heartbeat,
  type ProgressUpdate,
  type ResultAck,
  type TaskLog,
  type TaskPayload,
  type TaskResult,
  type WorkerEvent,
  type WorkerRegistration,
} from "../protocol/index.ts";
import { parseRetryAfter } from "../backoff.ts";
import { describeError } from "../logger.ts";
import type { Runtime } from "../runtime.ts";

/** Why a request did not do its work. */
export interface RequestFailure {
  /** HTTP status; absent when there was no answer. */
  status?: number;
  message: string;
  /** Whether the same request may work later. */
  retryable: boolean;
  /** What the server asked us to wait. */
  retryAfterMs?: number;
}

export type Reply<Value> = { ok: true; value: Value } | { ok: false; failure: RequestFailure };

/** `warning` tells of what does not keep the worker from working, such as an old version of the protocol (reference D.8). */
const registrationAnswer = z.looseObject({ warning: z.string().nullish().catch(undefined) });
type RegistrationAnswer = z.infer<typeof registrationAnswer>;

/** Answer to an event: taken, or refused and why. */
const eventAnswer = z.looseObject({ status: z.string(), message: z.string().optional() });

const REQUEST_TIMEOUT_MS = 30_000;
const PROGRESS_TIMEOUT_MS = 5_000;
/** A clock that is off by less is right: answers tell the time in whole seconds, and take a moment. */
const CLOCK_TOLERANCE_MS = 3_000;
/** What a poll gets on top of the time the server may hold it. */
const POLL_GRACE_MS = 5_000;

/** `cancel_task_ids` tells a worker without a socket which of its tasks were cancelled (reference D.8). */
const heartbeatAnswer = z.looseObject({ cancel_task_ids: z.array(z.string()).optional() });
export type HeartbeatAnswer = z.infer<typeof heartbeatAnswer>;

const problem = z.object({ error: z.string() });

interface RequestOptions {
  body?: unknown;
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
}

/** The worker's requests to one orchestrator (spec §5). Nothing here throws or retries: what happened is in the reply. */
export class HttpClient {
  readonly #baseUrl: string;
  readonly #workerPath: string;
  readonly #token: string | undefined;
  readonly #fetch: Runtime["fetch"];
  readonly #rateLimitFloorMs: number;
  #clockAheadMs = 0;

  /**
   * @param baseUrl without a slash at its end
   * @param rateLimitFloorMs what an answer 429 is taken to ask for when it does not say how long to wait
   */
  constructor(
    baseUrl: string,
    workerId: string,
    token: string | undefined,
    fetch: Runtime["fetch"],
    rateLimitFloorMs = 0,
  ) {
    this.#rateLimitFloorMs = rateLimitFloorMs;
    this.#baseUrl = baseUrl;
    this.#workerPath = `/_worker/workers/${workerId}`;
    this.#token = token;
    this.#fetch = fetch;
  }

  register(body: WorkerRegistration, signal?: AbortSignal): Promise<Reply<RegistrationAnswer | undefined>> {
    return this.#request("POST", "/_worker/workers/register", registrationAnswer, { body, signal });
  }

  heartbeat(body: Heartbeat, signal?: AbortSignal): Promise<Reply<HeartbeatAnswer | undefined>> {
    return this.#request("PATCH", this.#workerPath, heartbeatAnswer, { body, signal });
  }

  /** Waits up to `waitMs` for a task; undefined when there is none. */
  nextTask(waitMs: number, signal?: AbortSignal): Promise<Reply<TaskPayload | undefined>> {
    const path = `${this.#workerPath}/tasks/next?timeout=${waitMs / 1000}`;
    return this.#request("GET", path, taskPayload, { timeoutMs: waitMs + POLL_GRACE_MS, signal });
  }

  sendResult(body: TaskResult, signal?: AbortSignal): Promise<Reply<ResultAck | undefined>> {
    return this.#request("POST", "/_worker/tasks/result", resultAck, { body, signal });
  }

  sendProgress(body: ProgressUpdate & { worker_id: string }): Promise<Reply<unknown>> {
    return this.#request("POST", "/_worker/tasks/progress", z.unknown(), { body, timeoutMs: PROGRESS_TIMEOUT_MS });
  }

  sendEvent(
    body: WorkerEvent,
    signal?: AbortSignal,
  ): Promise<Reply<{ status: string; message?: string | undefined } | undefined>> {
    return this.#request("POST", "/_worker/events", eventAnswer, { body, signal });
  }

  sendLog(body: TaskLog & { worker_id: string }): Promise<Reply<unknown>> {
    return this.#request("POST", "/_worker/tasks/log", z.unknown(), { body, timeoutMs: PROGRESS_TIMEOUT_MS });
  }

  /** The time by the orchestrator's clock, epoch milliseconds, as far as its answers tell. */
  now(): number {
    return Date.now() + this.#clockAheadMs;
  }

  #setClock(date: string | null): void {
    const aheadMs = date === null ? NaN : Date.parse(date) - Date.now();
    if (!Number.isNaN(aheadMs)) this.#clockAheadMs = Math.abs(aheadMs) < CLOCK_TOLERANCE_MS ? 0 : aheadMs;
  }

  async #request<Value>(
    method: string,
    path: string,
    answer: z.ZodType<Value>,
    { body, timeoutMs = REQUEST_TIMEOUT_MS, signal }: RequestOptions,
  ): Promise<Reply<Value | undefined>> {
    const abort = new AbortController();
    const giveUp = (): void => abort.abort(signal?.reason);
    const timer = setTimeout(() => abort.abort(new Error(`No answer within ${timeoutMs / 1000} s`)), timeoutMs);
    signal?.addEventListener("abort", giveUp);
    if (signal?.aborted) giveUp();
    try {
      const response = await this.#fetch(this.#baseUrl + path, {
        method,
        headers: {
          ...(this.#token !== undefined && { "X-Worker-Token": this.#token }),
          ...(body !== undefined && { "Content-Type": "application/json" }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        // A redirect would carry the token to wherever it points.
        redirect: "manual",
        signal: abort.signal,
      });
      this.#setClock(response.headers.get("Date"));
      const text = await response.text();
      return response.ok
        ? readAnswer(text, answer)
        : { ok: false, failure: readFailure(response, text, this.#rateLimitFloorMs) };
    } catch (error) {
      return { ok: false, failure: { message: describeError(error), retryable: true } };
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", giveUp);
    }
  }
}

function readAnswer<Value>(text: string, answer: z.ZodType<Value>): Reply<Value | undefined> {
  if (text === "") return { ok: true, value: undefined };
  const parsed = answer.safeParse(parseJson(text));
  if (parsed.success) return { ok: true, value: parsed.data };
  const [issue] = parsed.error.issues;
  const message = `The answer was not understood: ${issue?.path.join(".")}: ${issue?.message}`;
  return { ok: false, failure: { message, retryable: true } };
}

function readFailure(response: Response, text: string, rateLimitFloorMs: number): RequestFailure {
  const { status, headers } = response;
  const said = problem.safeParse(parseJson(text));
  const detail = said.success ? said.data.error : (headers.get("Location") ?? response.statusText);
  const asked = parseRetryAfter(headers.get("Retry-After"), Date.now());
  const retryAfterMs = asked ?? (status === 429 && rateLimitFloorMs > 0 ? rateLimitFloorMs : undefined);
  return {
    status,
    message: `HTTP ${status}: ${detail}`,
    retryable: status >= 500 || status === 429 || status === 408,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
