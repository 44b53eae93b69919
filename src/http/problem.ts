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
  | "link_expired"
  | "maintenance"
  | "method_not_allowed"
  | "not_found"
  | "quota_exceeded"
  | "not_signed"
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

/** There is no such job, or it is another client's: which of the two is not told. */
export function jobNotFound(): Problem {
  return new Problem(404, "job_not_found", "Job not found");
}

/** `{"error": text, "code": word, "details"?}` (design §6). */
export function problemBody({ message, code, details }: Problem): {
  error: string;
  code: ProblemCode;
  details?: unknown;
} {
  return { error: message, code, ...(details === undefined ? {} : { details }) };
}

export function answerProblem(c: Context, problem: Problem): Response {
  return c.json(problemBody(problem), problem.status, problem.headers);
}
