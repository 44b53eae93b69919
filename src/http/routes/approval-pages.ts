import { type Context, Hono } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { z } from "zod";
import type { JobObject } from "../../../durable-objects/job/job-object.ts";
import { callObject } from "../../../durable-objects/shared/call-object.ts";
import { type LinkRight, readLink } from "../../approval/link.ts";
import { PAGE_HEADERS, plainPage, questionPage } from "../../approval/page.ts";
import { ConfigurationError } from "../../configuration.ts";
import type { CommandAnswer } from "../../job/command.ts";
import { decisionsOf, type HumanWait } from "../../job/wait.ts";
import { MAX_COMMENT_CHARS } from "../../limits.ts";
import { log } from "../../observability/log.ts";
import { checkBody, readJson, readText } from "../body.ts";
import type { HttpEnv } from "../http-env.ts";
import { Problem, problemBody } from "../problem.ts";

const NOT_OPEN = "This question is not open any more. It has been decided, its time is over, or the job was cancelled.";

/** Programs that follow a link ask for JSON; browsers name HTML. */
function wantsJson(c: Context<HttpEnv>): boolean {
  const accepted = c.req.header("Accept") ?? "";
  return accepted.includes("application/json") && !accepted.includes("text/html");
}

/** What the address gives a right to. @throws {Problem} 404, 410 or 501 */
function rightOf(c: Context<HttpEnv>): LinkRight {
  const { signingSecret: secret } = c.get("settings");
  if (secret === null) {
    throw new Problem(501, "configuration_error", "This deployment has no SIGNING_SECRET, so it cannot check links.");
  }
  const link = readLink(secret, c.req.param("token") ?? "", Date.now());
  if (link.ok) return link.right;
  throw link.reason === "expired"
    ? new Problem(410, "link_expired", "This link has expired. Ask whoever sent it for a new one.")
    : new Problem(404, "not_found", "This link is not valid. Check that its whole address was copied.");
}

/** @throws {Problem} 409 when there is nothing left for the holder of the link to decide */
async function openQuestion(c: Context<HttpEnv>, { jobId, waitId, decider }: LinkRight): Promise<HumanWait> {
  const wait = await callObject<JobObject, Promise<HumanWait | null>>(c.env.JOBS, jobId, (job) => job.question(waitId));
  if (wait === null) throw new Problem(409, "conflict", NOT_OPEN);
  const said = wait.decisions.find((decision) => decision.by === decider);
  if (said === undefined) return wait;
  throw new Problem(409, "conflict", `This link has been used: the decision was '${said.decision}'. It counts once.`);
}

const formFields = z.object({
  decision: z.string().min(1).max(200),
  comment: z.string().max(MAX_COMMENT_CHARS).nullish(),
  data: z.unknown().optional(),
});

/** A form from the page, or the same as JSON. Browsers send line ends as two characters, which count as one. */
async function readDecision(request: Request) {
  if (request.headers.get("Content-Type")?.includes("application/json") === true) {
    return checkBody(formFields, await readJson(request), "decision");
  }
  const fields = new URLSearchParams(await readText(request));
  const comment = fields.get("comment")?.replaceAll("\r\n", "\n").trim();
  return checkBody(formFields, { decision: fields.get("decision"), comment: comment || null }, "decision");
}

const STATUS = { bad_request: 400, forbidden: 403, job_not_found: 409, conflict: 409 } as const;

function taken(answer: CommandAnswer): Extract<CommandAnswer, { ok: true }> {
  if (answer.ok) return answer;
  const { code, error } = answer;
  throw new Problem(STATUS[code], code, code === "job_not_found" ? NOT_OPEN : error);
}

const TITLES: Partial<Record<ContentfulStatusCode, string>> = {
  404: "Not a valid link",
  409: "Nothing to decide",
  410: "Link expired",
  413: "Too much text",
};

/** The token is a right, so its path goes to no log. */
function toProblem(error: unknown, c: Context<HttpEnv>): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof ConfigurationError) return new Problem(500, "configuration_error", error.message);
  log(c.get("settings"), "ERROR", "http.failed", {
    method: c.req.method,
    path: "/_public/approvals/…",
    error: String(error),
  });
  return new Problem(500, "internal", "Something went wrong here. Try again in a moment.");
}

/**
 * The pages of approval links, for people without a token. Looking changes nothing, for mail programs open links before
 * people do; the form decides, once. There is no other protection of the form, as the address itself is the right.
 */
export const approvalPages = new Hono<HttpEnv>()
  .use(async (c, next) => {
    await next();
    for (const [name, value] of Object.entries(PAGE_HEADERS)) c.header(name, value);
  })
  .get("/:token", async (c) => {
    const right = rightOf(c);
    const wait = await openQuestion(c, right);
    const approved = wait.decisions.filter(({ decision }) => decision === "approved").length;
    const { message, data, deciders, approvals, until } = wait;
    const { jobId, blueprint, decider } = right;
    const decisions = decisionsOf(wait);
    if (!wantsJson(c)) {
      const page = { jobId, blueprint, message, data, decisions, deciders, approvals, until, decider, approved };
      return c.html(questionPage(page));
    }
    return c.json({
      id: wait.id,
      job_id: jobId,
      blueprint,
      message,
      data,
      decisions,
      approvals,
      approved,
      decider,
      until: until === null ? null : new Date(until).toISOString(),
      expires_at: new Date(right.expiresAt).toISOString(),
    });
  })
  .post("/:token", async (c) => {
    const right = rightOf(c);
    const { decision, comment, data } = await readDecision(c.req.raw);
    // The job checks all this itself; it is asked first so that the page can say what became of the question.
    await openQuestion(c, right);
    const { jobId, waitId, decider } = right;
    const answer = await callObject(c.env.JOBS, jobId, (job) =>
      job.command(null, decider, {
        do: "decide",
        waitId,
        decision,
        comment: comment ?? undefined,
        ...(data === undefined ? {} : { data }),
      }),
    );
    const { note } = taken(answer);
    if (wantsJson(c)) return c.json({ status: "approval_received", job_id: jobId });
    const rest = note === "recorded" ? " Others still have to approve before the job goes on." : " The job goes on.";
    return c.html(plainPage("Thank you", `Your decision is recorded: ${decision}.${rest} You can close this page.`));
  });

approvalPages.onError((error, c) => {
  const problem = toProblem(error, c);
  if (wantsJson(c)) return c.json(problemBody(problem), problem.status, problem.headers);
  const title = TITLES[problem.status] ?? "That did not work";
  return c.html(plainPage(title, problem.message), problem.status, problem.headers);
});
