import { jsonObject } from "@batuta/worker/protocol";
import { Hono } from "hono";
import { z } from "zod";
import type { JobObject } from "../../../durable-objects/job/job-object.ts";
import { callObject } from "../../../durable-objects/shared/call-object.ts";
import { makeLink } from "../../approval/link.ts";
import { type Question, peopleAsked } from "../../approval/question.ts";
import type { HumanWait } from "../../job/wait.ts";
import { MAX_COMMENT_CHARS, MAX_LINK_LIFE_MS } from "../../limits.ts";
import { checkBody, readJson, readJsonOrNothing } from "../body.ts";
import type { HttpEnv } from "../http-env.ts";
import { requireClient } from "../middleware/require-client.ts";
import { jobNotFound, Problem } from "../problem.ts";
import { approvalPages } from "./approval-pages.ts";
import { accepted, jobIdOf } from "./job-commands.ts";

const MAX_NAME_CHARS = 200;
const person = z.string().trim().min(1).max(MAX_NAME_CHARS);

const decisionBody = z.object({
  decision: z.string().max(MAX_NAME_CHARS),
  comment: z.string().max(MAX_COMMENT_CHARS).nullish(),
  data: z.unknown().optional(),
  decided_by: person.nullish(),
});

/** A body as Avtomatika takes it: an object, whatever else is in it. */
async function readDecision(request: Request) {
  const body = jsonObject.safeParse(await readJson(request));
  if (!body.success) {
    throw new Problem(400, "bad_json", "Invalid JSON body", { details: "The body must be a JSON object." });
  }
  if (!body.data["decision"]) throw new Problem(400, "bad_request", "decision is required in body");
  return checkBody(decisionBody, body.data, "decision");
}

/** The routes of approvals below `/_public`: the decision of a client's own, and the pages of links. */
export const publicApprovals = new Hono<HttpEnv>()
  .post("/webhooks/approval/:job_id", requireClient, async (c) => {
    const { decision, comment, data, decided_by: decidedBy } = await readDecision(c.req.raw);
    const jobId = jobIdOf(c);
    const { name } = c.get("client");
    const answer = await callObject(c.env.JOBS, jobId, (job) =>
      job.command(name, decidedBy ?? `client:${name}`, {
        do: "decide",
        decision,
        comment: comment ?? undefined,
        ...(data === undefined ? {} : { data }),
      }),
    );
    accepted(answer);
    return c.json({ status: "approval_received", job_id: jobId });
  })
  .route("/approvals", approvalPages);

const linkBody = z.strictObject({
  decider: person.optional(),
  expires_in_seconds: z
    .number()
    .positive()
    .max(MAX_LINK_LIFE_MS / 1000)
    .optional(),
});

/** What a job's view says of the question it waits with; its parts are asked for by the id. */
const waitingView = z.looseObject({
  blueprint_name: z.string(),
  waiting_for: z.looseObject({ kind: z.literal("human"), id: z.string() }),
});

async function viewQuestion(env: HttpEnv["Bindings"], jobId: string, client: string) {
  const view = await callObject(env.JOBS, jobId, (job) => job.view(client));
  if (view === null) throw jobNotFound();
  const waiting = waitingView.safeParse(view);
  const waitId = waiting.success ? waiting.data.waiting_for.id : null;
  const wait =
    waitId === null
      ? null
      : await callObject<JobObject, Promise<HumanWait | null>>(env.JOBS, jobId, (job) => job.question(waitId));
  if (!waiting.success || wait === null) {
    throw new Problem(
      409,
      "conflict",
      "The job does not wait for a person's decision, so there is nothing to link to.",
    );
  }
  return { wait, blueprint: waiting.data.blueprint_name };
}

/** @throws {Problem} 400 when it is not clear, or not possible, that this person decides */
function chooseDecider(wait: Pick<Question, "deciders" | "approvals">, asked: string | undefined): string {
  const people = peopleAsked(wait);
  const [only] = people;
  if (asked === undefined) {
    if (only !== undefined && people.length === 1) return only;
    const whom = wait.deciders === null ? `${wait.approvals} different people must approve` : people.join(", ");
    throw new Problem(400, "bad_request", `A link is for one person. Name the decider; this question is for: ${whom}.`);
  }
  if (wait.deciders === null || wait.deciders.includes(asked)) return asked;
  throw new Problem(
    400,
    "bad_request",
    `'${asked}' is not among those who may decide this. Name one of: ${people.join(", ")}.`,
  );
}

/** The routes of approvals below `/api/{version}`. They need a client's token. */
export const approvalApi = new Hono<HttpEnv>().post("/jobs/:job_id/approval/links", async (c) => {
  const jobId = jobIdOf(c);
  const body = checkBody(linkBody, (await readJsonOrNothing(c.req.raw)) ?? {}, "request for a link");
  const { signingSecret: secret, publicUrl } = c.get("settings");
  if (secret === null) {
    throw new Problem(
      501,
      "configuration_error",
      "This deployment makes no approval links, as it has nothing to sign them with. Set SIGNING_SECRET.",
    );
  }
  const { wait, blueprint } = await viewQuestion(c.env, jobId, c.get("client").name);
  const maker = { secret, publicUrl: publicUrl ?? new URL(c.req.url).origin, now: Date.now() };
  const decider = chooseDecider(wait, body.decider);
  const { url, expiresAt } = makeLink(
    maker,
    { jobId, waitId: wait.id, blueprint, decider, until: wait.until },
    body.expires_in_seconds === undefined ? undefined : body.expires_in_seconds * 1000,
  );
  return c.json({ url, decider, expires_at: new Date(expiresAt).toISOString() }, 201);
});
