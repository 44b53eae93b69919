import { exports } from "cloudflare:workers";
import { expect } from "vitest";
import { z } from "zod";

export const ALICE = { "X-Avtomatika-Token": "alice-token" };
export const BOB = { "X-Avtomatika-Token": "bob-token" };
export const ADMIN = { "X-Avtomatika-Token": "admin-token" };
export const WORKER = { "X-Worker-Token": "worker-token" };

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed JSON; null for an empty body. */
  readonly body: unknown;
}

interface Sent {
  readonly headers?: Record<string, string>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly text?: BodyInit;
}

export function request(method: string, path: string, { headers = {}, json, text }: Sent = {}): Request {
  const body = text ?? (json === undefined ? null : JSON.stringify(json));
  return new Request(`https://batuta.test${path}`, { method, headers, body });
}

/** Sends a request through the Worker and reads the whole answer. */
export async function call(method: string, path: string, sent: Sent = {}): Promise<Answer> {
  const response = await exports.default.fetch(request(method, path, sent));
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === "" ? null : JSON.parse(text) };
}

const accepted = z.object({ job_id: z.string() });

/** Creates a job as alice and returns its id. */
export async function createJob(endpoint: string, input: object): Promise<string> {
  const { status, body } = await call("POST", `/api/v1/jobs/${endpoint}`, { headers: ALICE, json: input });
  expect(status).toBe(202);
  return accepted.parse(body).job_id;
}

const job = z.looseObject({ status: z.string(), result: z.unknown(), error_message: z.string().nullable() });
export type JobView = z.infer<typeof job>;

export async function viewJob(id: string): Promise<JobView> {
  const { body } = await call("GET", `/api/v1/jobs/${id}`, { headers: ALICE });
  return job.parse(body);
}

/** Expects something of what is read, sooner or later: what happens between objects takes a moment. */
export function eventually<T>(read: () => T | Promise<T>) {
  return expect.poll(read, { interval: 5, timeout: 15_000 });
}

/** Waits until a job looks like this. */
export async function expectJob(id: string, like: object): Promise<void> {
  await eventually(() => viewJob(id)).toMatchObject(like);
}

/** A task type or worker id that nobody else in the file uses, for the tests of a file share one shard. */
export const unique = (): string => crypto.randomUUID();
