import type { Configuration } from "../configuration.ts";
import { refusalOf } from "./addresses.ts";
import { retryAfter } from "./backoff.ts";
import type { OutgoingRequest } from "./outgoing-request.ts";

/** How long a receiver may take to answer. */
const ANSWER_TIMEOUT_MS = 10_000;

const MAX_REASON_CHARS = 200;

/** What came of one try. `error` holds neither secrets nor anything the receiver said. */
export type Outcome =
  | { readonly kind: "delivered"; readonly statusCode: number }
  /** There is no use in trying again. */
  | { readonly kind: "failed" | "refused"; readonly statusCode: number | null; readonly error: string }
  | {
      readonly kind: "not_yet";
      readonly statusCode: number | null;
      readonly error: string;
      /** Seconds the receiver asked for. */
      readonly retryAfter: number | null;
    };

/** What a try needs from outside, given so that tests own it. */
export interface Outside {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** Epoch ms. */
  readonly now: () => number;
}

/** Sends a request once. Redirects are not followed: they would lead past the check of the address. Never throws. */
export async function post(
  { url, headers, body }: OutgoingRequest,
  settings: Configuration,
  outside: Outside,
): Promise<Outcome> {
  const refusal = refusalOf(url, settings);
  if (refusal !== null) return { kind: "refused", statusCode: null, error: `The address is refused. ${refusal}` };
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), ANSWER_TIMEOUT_MS);
  try {
    const init: RequestInit = { method: "POST", headers, body, redirect: "manual", signal: abort.signal };
    const response = await outside.fetch(url, init);
    // What the receiver says is of no use here, may hold anything, and an unread body keeps its connection.
    await response.body?.cancel().catch(() => undefined);
    return outcomeOf(response, outside.now());
  } catch (error) {
    const reason = abort.signal.aborted
      ? `There was no answer within ${ANSWER_TIMEOUT_MS / 1000} s.`
      : `The request failed: ${withoutAddresses(error)}`;
    return { kind: "not_yet", statusCode: null, error: reason, retryAfter: null };
  } finally {
    clearTimeout(timer);
  }
}

function outcomeOf({ ok, status, headers }: Response, now: number): Outcome {
  if (ok) return { kind: "delivered", statusCode: status };
  if (status === 410)
    return { kind: "failed", statusCode: status, error: "The receiver answered 410: it wants no more." };
  const isRedirect = status >= 300 && status < 400;
  return {
    kind: "not_yet",
    statusCode: status,
    error: `The receiver answered ${status}.${isRedirect ? " Redirects are not followed: give the final address." : ""}`,
    retryAfter: retryAfter(headers.get("Retry-After"), now),
  };
}

/** An address in an error may hold a secret. */
function withoutAddresses(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replaceAll(/\S+:\/\/\S*/g, "…").slice(0, MAX_REASON_CHARS);
}
