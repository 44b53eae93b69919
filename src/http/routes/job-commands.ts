import { identifier, jsonObject } from "@batuta/worker/protocol";
import { Hono, type Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { z } from "zod";
import type { JobObject } from "../../../durable-objects/job/job-object.ts";
import { callObject } from "../../../durable-objects/shared/call-object.ts";
import { readArchivedJob } from "../../history/archive.ts";
import { refused, type CommandAnswer, type CommandRefusal, type JobCommand } from "../../job/command.ts";
import { MAX_REASON_CHARS } from "../../limits.ts";
import { checkBody, readJsonOrNothing } from "../body.ts";
import type { HttpEnv } from "../http-env.ts";
import { jobNotFound, Problem } from "../problem.ts";

/** Why somebody does it, for the job's history. */
export const reason = z.string().trim().min(1).max(MAX_REASON_CHARS);
export const stateName = z.string().min(1);

const bodies = {
  /** Avtomatika's clients may send anything here; it took no notice of it. */
  cancel: z.object({ reason: reason.optional() }),
  pause: z.strictObject({ reason }),
  resume: z.strictObject({ reason }),
  move: z.strictObject({ state: stateName, state_history: jsonObject.optional(), reason }),
  patch: z.strictObject({ state_history: jsonObject, reason }),
  retry: z.strictObject({
    state: stateName.optional(),
    state_history: jsonObject.optional(),
    reason: reason.optional(),
  }),
  discard: z.strictObject({ reason: reason.optional() }),
};

const REFUSALS: Readonly<Record<CommandRefusal, ContentfulStatusCode>> = {
  bad_request: 400,
  forbidden: 403,
  job_not_found: 404,
  conflict: 409,
};

const eventName = z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/, "must be 1 to 64 letters, digits, '_' or '-'");
const eventId = z.string().min(1).max(255).optional();

/** Sends a command to a job, in the name of the request's client. */
export async function commandJob(c: Context<HttpEnv>, jobId: string, command: JobCommand): Promise<CommandAnswer> {
  const { name } = c.get("client");
  const send = (job: DurableObjectStub<JobObject>) => job.command(name, `client:${name}`, command);
  // Sent again when the connection fails, it would be a second event; the others at worst answer that it is done.
  const once = command.do === "event" && command.id === undefined;
  const answer = once ? await send(c.env.JOBS.getByName(jobId)) : await callObject(c.env.JOBS, jobId, send);
  if (answer.ok || answer.code !== "job_not_found") return answer;
  const archived = await readArchivedJob(c.env.PAYLOADS, jobId, name);
  return archived === null
    ? answer
    : refused("conflict", "The job has ended and is in the archive: it can be read, and nothing else.");
}

export function accepted(answer: CommandAnswer): Extract<CommandAnswer, { ok: true }> {
  if (answer.ok) return answer;
  if (answer.code === "job_not_found") throw jobNotFound();
  throw new Problem(REFUSALS[answer.code], answer.code, answer.error);
}

export function jobIdOf(c: Context<HttpEnv>): string {
  const id = identifier.safeParse(c.req.param("job_id"));
  if (!id.success) throw jobNotFound();
  return id.data;
}

async function readBody<T>(c: Context<HttpEnv>, schema: z.ZodType<T>, what: string): Promise<T> {
  return checkBody(schema, (await readJsonOrNothing(c.req.raw)) ?? {}, what);
}

/** A route that reads its body and sends the command that is made of it. */
function commandRoute<T>(what: string, schema: z.ZodType<T>, commandOf: (body: T) => JobCommand) {
  return async (c: Context<HttpEnv>): Promise<Response> => {
    const jobId = jobIdOf(c);
    const command = commandOf(await readBody(c, schema, what));
    const { status, note } = accepted(await commandJob(c, jobId, command));
    return c.json({ status, ...(note === undefined ? {} : { note }) });
  };
}

/** The header or the query names the event; whoever sends both must mean the same. */
function eventIdOf(c: Context<HttpEnv>): string | undefined {
  const header = c.req.header("Idempotency-Key");
  const query = c.req.query("id");
  if (header !== undefined && query !== undefined && header !== query) {
    throw new Problem(
      400,
      "bad_request",
      "The header Idempotency-Key and ?id= differ. Send one of them, for both are the event's id.",
    );
  }
  return checkBody(eventId, header ?? query, "event's id");
}

/** What clients do to one job of theirs, below `/api/{version}`. */
export const jobCommands = new Hono<HttpEnv>()
  .post("/jobs/:job_id/cancel", async (c) => {
    const jobId = jobIdOf(c);
    const { reason } = await readBody(c, bodies.cancel, "cancellation");
    const key = checkBody(eventId, c.req.header("Idempotency-Key"), "Idempotency-Key");
    // Named in any case: the call to the job may be repeated on the way.
    accepted(await commandJob(c, jobId, { do: "cancel", reason, id: key ?? crypto.randomUUID() }));
    return c.json({ status: "cancellation_request_accepted" });
  })
  .post(
    "/jobs/:job_id/pause",
    commandRoute("pause", bodies.pause, ({ reason }) => ({ do: "pause", reason })),
  )
  .post(
    "/jobs/:job_id/resume",
    commandRoute("resumption", bodies.resume, ({ reason }) => ({ do: "resume", reason })),
  )
  .post(
    "/jobs/:job_id/move",
    commandRoute("move", bodies.move, ({ state, state_history: stateHistory, reason }) => ({
      do: "move",
      state,
      stateHistory,
      reason,
    })),
  )
  .patch(
    "/jobs/:job_id",
    commandRoute("patch", bodies.patch, ({ state_history: stateHistory, reason }) => ({
      do: "patch",
      stateHistory,
      reason,
    })),
  )
  .post(
    "/jobs/:job_id/retry",
    commandRoute("retry", bodies.retry, ({ state, state_history: stateHistory, reason }) => ({
      do: "retry",
      state,
      stateHistory,
      reason,
    })),
  )
  .post(
    "/jobs/:job_id/discard",
    commandRoute("discard", bodies.discard, ({ reason }) => ({ do: "discard", reason })),
  )
  .post("/jobs/:job_id/events/:name", async (c) => {
    const jobId = jobIdOf(c);
    const name = checkBody(eventName, c.req.param("name"), "event's name");
    const id = eventIdOf(c);
    const data = await readJsonOrNothing(c.req.raw);
    const { note } = accepted(await commandJob(c, jobId, { do: "event", name, id, data }));
    return c.json({ status: `event_${note ?? "received"}` }, 202);
  });
