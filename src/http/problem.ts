import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";

/** Words by which callers tell errors apart; the text may change, the code may not. */
export type ProblemCode =
  | "bad_json"
  | "bad_request"
  | "body_timeout"
  | "body_too_large"
  | "configuration_error"
  | "conflict"
  | "forbidden"
  | "internal"
  | "job_not_found"
  | "maintenance"
  | "method_not_allowed"
  | "not_found"
  | "quota_exceeded"
  | "unauthorized"
  | "upgrade_required"
  | "worker_not_found";

/** An error that is an answer: thrown where the answer is clear and the way out is long. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly status: ContentfulStatusCode;
  readonly code: ProblemCode;
  readonly details: unknown;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: ContentfulStatusCode,
    code: ProblemCode,
    message: string,
    more: { readonly details?: unknown; readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = more.details;
    this.headers = more.headers ?? {};
  }
}

/** `{"error": text, "code": word, "details"?}` (design §6). */
export function answerProblem(c: Context, problem: Problem): Response {
  const { message, code, details } = problem;
  return c.json(
    { error: message, code, ...(details === undefined ? {} : { details }) },
    problem.status,
    problem.headers,
  );
}
