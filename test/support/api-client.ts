import { expect, vi } from "vitest";
import { z } from "zod";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed JSON; null for an empty body. */
  readonly body: unknown;
}

/** What fetch takes as a body. */
export type RequestBody = NonNullable<RequestInit["body"]>;

interface Sent {
  readonly headers?: Record<string, string>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly text?: RequestBody;
}

const accepted = z.object({ job_id: z.string() });

const jobView = z.looseObject({
  status: z.string(),
  current_state: z.string(),
  result: z.unknown(),
  error_message: z.string().nullable(),
  branches: z.object({ total: z.number(), done: z.number(), failed: z.number() }).nullable(),
});
export type JobView = z.infer<typeof jobView>;

const explanation = z.looseObject({
  waits_for: z.string(),
  summary: z.string(),
  tasks: z.array(z.looseObject({ is: z.string(), blocked_by: z.unknown() })),
});

const historyRow = z.looseObject({
  seq: z.number(),
  event_type: z.string(),
  task_id: z.string().nullable(),
  attempt_number: z.number().nullable(),
  worker_id: z.string().nullable(),
  error: z.string().nullable(),
});
export type HistoryRow = z.infer<typeof historyRow>;

/** Sends one request and reads the whole answer. */
export async function call(url: string, method: string, { headers = {}, json, text }: Sent = {}): Promise<Answer> {
  const body = text ?? (json === undefined ? null : JSON.stringify(json));
  const streamed = body instanceof ReadableStream ? { duplex: "half" as const } : {};
  const response = await fetch(url, { method, headers, body, ...streamed, signal: AbortSignal.timeout(20_000) });
  const answer = await response.text();
  return { status: response.status, headers: response.headers, body: answer === "" ? null : JSON.parse(answer) };
}

/** A client of a running server. */
export class ApiClient {
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  /** A request below `/api/v1` with this client's token. */
  call(method: string, path: string, { headers, ...sent }: Sent = {}): Promise<Answer> {
    return call(`${this.#url}/api/v1${path}`, method, {
      ...sent,
      headers: { "X-Avtomatika-Token": this.#token, ...headers },
    });
  }

  /**
   * @param endpoint last part of the create route
   * @param key Idempotency-Key
   * @returns the job's id
   */
  async create(endpoint: string, input: object, key?: string): Promise<string> {
    const headers = key === undefined ? {} : { "Idempotency-Key": key };
    const { status, body } = await this.call("POST", `/jobs/${endpoint}`, { headers, json: input });
    expect({ status, body }).toMatchObject({ status: 202 });
    return accepted.parse(body).job_id;
  }

  async view(id: string): Promise<JobView> {
    return jobView.parse((await this.call("GET", `/jobs/${id}`)).body);
  }

  /** Waits until the job looks like this, through outages of the server. */
  expectJob(id: string, like: object, timeout = 20_000): Promise<JobView> {
    const look = async () => {
      const job = await this.view(id);
      expect(job).toMatchObject(like);
      return job;
    };
    return vi.waitFor(look, { interval: 25, timeout });
  }

  async explain(id: string): Promise<z.infer<typeof explanation>> {
    return explanation.parse((await this.call("GET", `/jobs/${id}/explain`)).body);
  }

  /** Waits until this many tasks of the job have come to the registry, and no worker has them. */
  async expectWaiting(id: string, tasks = 1): Promise<void> {
    const waiting = Array.from({ length: tasks }, () => ({ is: "waiting" }));
    await vi.waitFor(async () => expect((await this.explain(id)).tasks).toMatchObject(waiting), {
      interval: 25,
      timeout: 10_000,
    });
  }

  /** Waits until the job's history has come as far as its end. */
  history(id: string): Promise<HistoryRow[]> {
    const read = async () => {
      const rows = z.array(historyRow).parse((await this.call("GET", `/jobs/${id}/history`)).body);
      expect(rows.at(-1)?.event_type).toMatch(/^job_(finished|failed|quarantined|cancelled)$/);
      return rows;
    };
    return vi.waitFor(read, { interval: 100, timeout: 20_000 });
  }
}
