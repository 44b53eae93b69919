import { z } from "zod";
import { PlainError } from "../plain-error.ts";

/** Longest wait for the answer: a server that hangs must not hold up a script for ever. */
const TIMEOUT_MS = 60_000;
const MAX_TOLD_CHARS = 500;

/** A server to ask, and the right to ask it. */
export interface Server {
  /** Without a final slash. */
  readonly url: string;
  readonly token: string;
}

export interface Question {
  readonly method?: "GET" | "POST";
  /** Below the server's own path. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: object;
}

const problem = z.object({ error: z.string(), code: z.string().optional() });

/** What a server answered. */
export interface Answer<T> {
  readonly body: T;
  /** The cursor of the next page of a listing; null when there is none. */
  readonly nextCursor: string | null;
  /** Shards that did not answer, and whose part is missing. */
  readonly awayShards: readonly string[];
}

/**
 * Asks a running server something.
 *
 * @param answer what the body of its answer must look like
 * @throws {PlainError} when it cannot be reached, or refuses
 */
export async function ask<T>(server: Server, question: Question, answer: z.ZodType<T>): Promise<T> {
  return (await askWhole(server, question, answer)).body;
}

/** As {@link ask}, with what the answer's headers say. */
export async function askWhole<T>(server: Server, question: Question, answer: z.ZodType<T>): Promise<Answer<T>> {
  const { url, token } = server;
  let response: Response;
  let body: unknown;
  try {
    response = await fetch(`${url}${question.path}`, {
      method: question.method ?? "GET",
      headers: {
        "X-Avtomatika-Token": token,
        ...(question.body === undefined ? {} : { "Content-Type": "application/json" }),
      },
      body: question.body === undefined ? null : JSON.stringify(question.body),
      // The token is for this address and no other.
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await response.text();
    body = isJson(response) ? JSON.parse(text) : null;
  } catch (error) {
    throw new PlainError(
      `Cannot reach ${url}: ${whyUnreachable(error)}. Check that the server runs, and --url (or BATUTA_URL).`,
    );
  }
  if (!response.ok) throw new PlainError(whyRefused(url, question.path, response, body));
  const told = answer.safeParse(body);
  if (told.success) {
    return {
      body: told.data,
      nextCursor: response.headers.get("x-next-cursor"),
      awayShards: response.headers.get("x-unreachable-shards")?.split(/, */).filter(Boolean) ?? [],
    };
  }
  throw new PlainError(`${url} does not answer as Batuta does. Check --url (or BATUTA_URL).`);
}

function isJson({ headers }: Response): boolean {
  return /^application\/json\b/.test(headers.get("content-type") ?? "");
}

function whyUnreachable(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return `it did not answer within ${TIMEOUT_MS / 1000} s`;
  if (error instanceof SyntaxError) return "its answer is cut off or no JSON";
  // What fetch itself says is only that it failed. Of several addresses that failed, the error has no text.
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  if (cause.message !== "") return cause.message;
  return "code" in cause ? String(cause.code) : error.message;
}

function whyRefused(url: string, path: string, { status, headers }: Response, body: unknown): string {
  if (status === 401) {
    return `${url} does not know the token. Give that of a client in its clients.toml, for what concerns all clients one with admin = true, with --token or BATUTA_TOKEN.`;
  }
  if (status === 403) {
    return `The token is that of a client of ${url} who is no operator, and this concerns all clients. Add admin = true to the client in clients.toml, or give the token of another with --token or BATUTA_TOKEN.`;
  }
  if (status >= 300 && status < 400) {
    return `${url} sends on to ${headers.get("location") ?? "another address"}. Give the address that answers itself with --url (or BATUTA_URL).`;
  }
  const told = problem.safeParse(body);
  const hasRoute = told.success && told.data.code !== undefined && !told.data.error.startsWith("There is nothing at");
  if (status === 404 && !hasRoute) {
    return `${url} has no ${path}: it is no Batuta server, or an earlier release. Check --url (or BATUTA_URL).`;
  }
  const text = told.success ? told.data.error.slice(0, MAX_TOLD_CHARS) : "";
  // What the server says of a wish it does not fulfil is meant for whoever has it.
  if (text !== "" && status < 500) return `${url} refuses: ${text}`;
  return `${url} answers ${status}${text === "" ? "" : `: ${text}`}. Its log may say more; then try again.`;
}
