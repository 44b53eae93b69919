import { z } from "zod";
import { ExampleError } from "./example-error.ts";

/** Longest wait for one answer of the server. */
const ANSWER_TIMEOUT_MS = 10_000;

/** The server did not answer, or could not: worth asking again. */
export class OutageError extends Error {
  override readonly name = "OutageError";
}

const jobView = z.object({
  id: z.string(),
  status: z.string(),
  current_state: z.string(),
  state_history: z.looseObject({}).nullish(),
  error_message: z.string().nullish(),
  progress: z.number().nullish(),
  progress_message: z.string().nullish(),
  current_task_info: z.object({ type: z.string() }).nullish(),
  branches: z.object({ total: z.int(), done: z.int(), failed: z.int() }).nullish(),
  result: z.unknown(),
});
/** What the examples read of a job. */
export type JobView = z.infer<typeof jobView>;

const historyRow = z.object({
  seq: z.int(),
  event_type: z.string(),
  /** Epoch ms. */
  created_at: z.number(),
  state: z.string(),
  previous_state: z.string().nullish(),
  next_state: z.string().nullish(),
  attempt_number: z.int().nullish(),
  duration_ms: z.number().nullish(),
  worker_id: z.string().nullish(),
  task_id: z.string().nullish(),
  error: z.string().nullish(),
  context_snapshot: z.looseObject({}).nullish(),
});
/** One thing that happened to a job. */
export type HistoryRow = z.infer<typeof historyRow>;

const FINAL_STATUSES = new Set(["finished", "failed", "quarantined", "cancelled"]);

export function hasEnded({ status }: JobView): boolean {
  return FINAL_STATUSES.has(status);
}

/** The few calls of the client API that the examples need. Every call may throw an {@link OutageError}. */
export class JobClient {
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  /**
   * @param endpoint last part of the blueprint's create route
   * @param key the same key makes the same job: a call whose answer was lost can be made again
   * @returns the id of the job
   */
  async create(endpoint: string, input: object, key: string): Promise<string> {
    const answer = await this.#ask("POST", `/api/v1/jobs/${endpoint}`, input, { "Idempotency-Key": key });
    return z.object({ job_id: z.string() }).parse(answer).job_id;
  }

  /** @returns null when the server does not know the job */
  async find(id: string): Promise<JobView | null> {
    const answer = await this.#ask("GET", `/api/v1/jobs/${id}`);
    return answer === null ? null : jobView.parse(answer);
  }

  /** What happened to a job, in order; it follows the job by a second or two. */
  async history(id: string): Promise<HistoryRow[]> {
    return z.array(historyRow).parse((await this.#ask("GET", `/api/v1/jobs/${id}/history`)) ?? []);
  }

  /** Decides what the job asks people, in the name of one of them. */
  async decide(id: string, by: string, decision: string): Promise<void> {
    await this.#ask("POST", `/_public/webhooks/approval/${id}`, { decision, decided_by: by });
  }

  async sendEvent(id: string, event: string, data: unknown): Promise<void> {
    await this.#ask("POST", `/api/v1/jobs/${id}/events/${event}`, data);
  }

  async cancel(id: string): Promise<void> {
    await this.#ask("POST", `/api/v1/jobs/${id}/cancel`);
  }

  /** @returns the answer's JSON; null for 404 */
  async #ask(
    method: "GET" | "POST",
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<unknown> {
    const response = await fetch(this.#url + path, {
      method,
      headers: { "X-Avtomatika-Token": this.#token, "Content-Type": "application/json", ...headers },
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      throw new OutageError("The server does not answer.", { cause: error });
    });
    const text = await response.text().catch((error: unknown) => {
      throw new OutageError("The server's answer was cut off.", { cause: error });
    });
    if (response.status >= 500 || response.status === 429)
      throw new OutageError(`The server answered ${response.status}: ${text}`);
    if (response.status === 404 && method === "GET") return null;
    if (!response.ok) throw new ExampleError(`The server refused ${method} ${path} with ${response.status}: ${text}`);
    return JSON.parse(text);
  }
}
