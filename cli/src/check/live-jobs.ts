import { z } from "zod";
import { PlainError } from "../plain-error.ts";

/** Longest wait for the answer: a server that hangs must not hold up a deployment for ever. */
const TIMEOUT_MS = 60_000;
const PATH = "/api/v1/admin/live-jobs";
const MAX_TOLD_CHARS = 500;

const answer = z.object({
  blueprints: z.array(z.object({ name: z.string(), version: z.number(), states: z.array(z.string()) })),
  jobs: z.array(
    z.object({
      blueprint: z.string(),
      blueprint_version: z.number(),
      current_state: z.string(),
      count: z.number(),
      job_ids: z.array(z.string()),
    }),
  ),
});

/** What runs on a server: its blueprints, and its live jobs by blueprint, version and state. */
export type Deployed = z.infer<typeof answer>;

/** A server to ask, and the right to ask it. */
export interface Server {
  /** Without a final slash. */
  readonly url: string;
  readonly token: string;
}

const problem = z.object({ error: z.string() });

/**
 * Asks a running server for its blueprints and live jobs.
 *
 * @throws {PlainError} when it cannot be reached, or does not tell
 */
export async function askLiveJobs({ url, token }: Server): Promise<Deployed> {
  let response: Response;
  let body: unknown;
  try {
    response = await fetch(`${url}${PATH}`, {
      headers: { "X-Avtomatika-Token": token },
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
  if (response.status !== 200) throw new PlainError(whyRefused(url, response, body));
  const told = answer.safeParse(body);
  if (told.success) return told.data;
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

function whyRefused(url: string, { status, headers }: Response, body: unknown): string {
  if (status === 401) {
    return `${url} does not know the token. Give that of a client with admin = true in its clients.toml, with --token or BATUTA_TOKEN.`;
  }
  if (status === 403) {
    return `The token is that of a client of ${url} who is no operator, and the jobs of all clients are asked for. Add admin = true to the client in clients.toml, or give the token of another with --token or BATUTA_TOKEN.`;
  }
  if (status >= 300 && status < 400) {
    return `${url} sends on to ${headers.get("location") ?? "another address"}. Give the address that answers itself with --url (or BATUTA_URL).`;
  }
  if (status === 404) {
    return `${url} has no ${PATH}: it is no Batuta server, or an earlier release. Check --url (or BATUTA_URL).`;
  }
  const told = problem.safeParse(body);
  const text = told.success ? `: ${told.data.error.slice(0, MAX_TOLD_CHARS)}` : "";
  return `${url} answers ${status}${text}. Its log may say more; then try again.`;
}
