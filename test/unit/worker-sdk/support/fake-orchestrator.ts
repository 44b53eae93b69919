import type { Runtime } from "../../../../worker-sdk/src/index.ts";
import {
  progressUpdate,
  taskResult,
  type ProgressUpdate,
  type TaskPayload,
  type TaskResult,
} from "../../../../worker-sdk/src/protocol/index.ts";

export interface RecordedRequest {
  route: string;
  token: string | undefined;
  body: unknown;
  at: number;
  /** How long a poll may wait, seconds. */
  timeout: number;
}

type Answer = () => Response | Promise<Response>;

/** An orchestrator in memory: answers every route well unless told otherwise, and remembers what it was asked. */
export class FakeOrchestrator {
  readonly requests: RecordedRequest[] = [];
  /** Answers that replace the good one, by route, used up in order. */
  readonly #scripted = new Map<string, Answer[]>();
  readonly #waitingTasks: TaskPayload[] = [];
  #heldPoll: (() => void) | undefined;

  /** Makes the next requests of a route be answered so; the ones after that are answered well again. */
  answerNext(route: string, ...answers: Answer[]): void {
    this.#scripted.set(route, [...(this.#scripted.get(route) ?? []), ...answers]);
  }

  /** Gives a task to the poll that waits, or to the next one. */
  offer(task: TaskPayload): void {
    this.#waitingTasks.push(task);
    this.#heldPoll?.();
  }

  to(route: string): RecordedRequest[] {
    return this.requests.filter((request) => request.route === route);
  }

  get results(): TaskResult[] {
    return this.to(RESULT).map(({ body }) => taskResult.parse(body));
  }

  get progress(): ProgressUpdate[] {
    return this.to(PROGRESS).map(({ body }) => progressUpdate.parse(body));
  }

  readonly fetch: Runtime["fetch"] = async (url, init) => {
    const { pathname, searchParams } = new URL(url);
    const route = `${init.method} ${pathname.replace(/workers\/worker-1/, "workers/{id}")}`;
    const headers = new Headers(init.headers);
    this.requests.push({
      route,
      token: headers.get("X-Worker-Token") ?? undefined,
      body: typeof init.body === "string" ? JSON.parse(init.body) : undefined,
      at: Date.now(),
      timeout: Number(searchParams.get("timeout")),
    });
    const scripted = this.#scripted.get(route)?.shift();
    if (scripted !== undefined) return scripted();
    if (route === NEXT) return this.#poll(Number(searchParams.get("timeout")), init.signal ?? undefined);
    return Response.json({ status: GOOD_ANSWERS.get(route) ?? "ok" });
  };

  #poll(timeoutSeconds: number, signal: AbortSignal | undefined): Promise<Response> {
    return new Promise((resolve, reject) => {
      const answer = (): void => {
        this.#heldPoll = undefined;
        clearTimeout(timer);
        const task = this.#waitingTasks.shift();
        resolve(task === undefined ? new Response(null, { status: 204 }) : Response.json(task));
      };
      const timer = setTimeout(answer, timeoutSeconds * 1000);
      signal?.addEventListener("abort", () => {
        this.#heldPoll = undefined;
        clearTimeout(timer);
        reject(new Error("This operation was aborted"));
      });
      this.#heldPoll = answer;
      if (this.#waitingTasks.length > 0) answer();
    });
  }
}

export const REGISTER = "POST /_worker/workers/register";
export const HEARTBEAT = "PATCH /_worker/workers/{id}";
export const NEXT = "GET /_worker/workers/{id}/tasks/next";
export const RESULT = "POST /_worker/tasks/result";
export const PROGRESS = "POST /_worker/tasks/progress";
export const EVENTS = "POST /_worker/events";
export const LOG = "POST /_worker/tasks/log";

const GOOD_ANSWERS = new Map([
  [RESULT, "result_accepted_success"],
  [EVENTS, "event_accepted"],
]);

/** An answer with a status and the orchestrator's error format. */
export function problem(status: number, error: string, headers: Record<string, string> = {}): Answer {
  return () => Response.json({ error, code: "test" }, { status, headers });
}

/** The answer of a poll that found nothing. */
export function noTask(): Response {
  return new Response(null, { status: 204 });
}

/** An answer that never comes because the connection breaks. */
export function connectionRefused(): Response {
  throw new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED 127.0.0.1:8080") });
}

let taskNumber = 0;

export function aTask(overrides: Partial<TaskPayload> = {}): TaskPayload {
  taskNumber++;
  return {
    job_id: `job-${taskNumber}`,
    task_id: `task-${taskNumber}`,
    type: "work",
    params: {},
    tracing_context: {},
    priority: 0,
    attempt: 1,
    lease: `lease-${taskNumber}`,
    ...overrides,
  };
}
