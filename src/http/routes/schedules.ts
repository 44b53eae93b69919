import { identifier, jsonObject } from "@batuta/worker/protocol";
import { type Context, Hono } from "hono";
import { z } from "zod";
import type { ScheduleObject, Written } from "../../../durable-objects/schedule/schedule-object.ts";
import { callObject } from "../../../durable-objects/shared/call-object.ts";
import { catalog } from "../../catalog.ts";
import { MAX_SCHEDULES } from "../../limits.ts";
import { webhookTarget } from "../../notices/target.ts";
import { jobInput } from "../../schedule/input.ts";
import type { ScheduleOwner } from "../../schedule/schedule.ts";
import { replacementOf, scheduleSpec, type ScheduleSpec } from "../../schedule/spec.ts";
import { regionOf } from "../../registry/regions.ts";
import { checkBody, readJson } from "../body.ts";
import type { HttpEnv } from "../http-env.ts";
import { checkIdempotencyKey } from "../idempotency-key.ts";
import { Problem } from "../problem.ts";
import { requireOpen } from "./create-job.ts";

function notFound(): Problem {
  return new Problem(404, "not_found", "Schedule not found");
}

/** Calls the object of the client's own schedules. */
function schedulesOf<Answer extends Promise<unknown>>(
  c: Context<HttpEnv>,
  call: (schedules: DurableObjectStub<ScheduleObject>) => Answer,
): Promise<Awaited<Answer>> {
  return callObject(c.env.SCHEDULES, c.get("client").name, call);
}

/** @throws {Problem} 404 for what cannot be the id of a schedule */
function scheduleId(c: Context<HttpEnv>): string {
  const parsed = identifier.safeParse(c.req.param("schedule_id"));
  if (!parsed.success) throw notFound();
  return parsed.data;
}

/** @throws {Problem} 400 when the jobs could not report where the schedule says */
function ownerOf(c: Context<HttpEnv>, spec: ScheduleSpec): ScheduleOwner {
  const client = c.get("client");
  const target = webhookTarget(client, spec.webhook_url, c.get("settings"));
  if (!target.ok) {
    const details = [{ path: "webhook_url", message: target.error }];
    throw new Problem(400, "bad_request", target.error, { details });
  }
  const { name, plan, params, quota } = client;
  const region = client.region ?? regionOf(c.req.raw.cf);
  return { client: { name, plan, params }, quota: quota ?? null, webhookUrl: target.url, region };
}

/** @throws {Problem} 400 when the schedule's blueprint could not begin a job with its initial data */
function checkInput(spec: ScheduleSpec): void {
  const input = jobInput(catalog, spec);
  if (input.ok) return;
  const { error, details } = input.fault;
  throw new Problem(400, "bad_request", error, { details });
}

/** @throws {Problem} for what could not be written */
function answerWritten(c: Context<HttpEnv>, { id }: ScheduleSpec, written: Written): Response {
  switch (written.outcome) {
    case "created":
      return c.json(written.schedule, 201);
    case "same":
    case "replaced":
      return c.json(written.schedule);
    case "missing":
      throw notFound();
    case "exists": {
      const text = `There is another schedule '${id}'. Replace it with PUT, or choose another id.`;
      throw new Problem(409, "conflict", text);
    }
    case "full": {
      const text = `A client may have ${MAX_SCHEDULES} schedules. Delete those that have ended or are not needed any more.`;
      throw new Problem(409, "conflict", text);
    }
    case "never": {
      const text = "The schedule would never come up: all its times have passed, or there are none. Choose later ones.";
      throw new Problem(400, "bad_request", text);
    }
  }
}

function triggerKey(c: Context<HttpEnv>): string {
  const key = c.req.header("Idempotency-Key");
  return key === undefined ? crypto.randomUUID() : checkIdempotencyKey(key);
}

/** Runs a schedule by hand. */
async function trigger(c: Context<HttpEnv>): Promise<Response> {
  const id = scheduleId(c);
  const key = triggerKey(c);
  await requireOpen(c);
  const triggered = await schedulesOf(c, (schedules) => schedules.trigger(id, key));
  if (triggered.ok) return c.json({ status: "accepted", job_id: triggered.jobId }, 202);
  switch (triggered.why) {
    case "missing":
      throw notFound();
    case "input":
      throw new Problem(409, "conflict", `The schedule cannot be run as it is. ${triggered.error}`);
    case "quota": {
      const wait = Math.max(1, Math.ceil((triggered.resetsAt - Date.now()) / 1000));
      const text = `Quota exceeded. It is refilled at ${new Date(triggered.resetsAt).toISOString()}.`;
      throw new Problem(429, "quota_exceeded", text, { headers: { "Retry-After": String(wait) } });
    }
  }
}

/** The routes below `/api/{version}/schedules`. All need a client's token, and show and change this client's schedules only. */
export const schedulesApi = new Hono<HttpEnv>()
  .get("/schedules", async (c) => {
    const list = await schedulesOf(c, (schedules) => schedules.list());
    return c.json(z.array(jsonObject).parse(list));
  })
  .post("/schedules", async (c) => {
    const spec = checkBody(scheduleSpec, await readJson(c.req.raw), "schedule");
    checkInput(spec);
    const owner = ownerOf(c, spec);
    const written = await schedulesOf(c, (schedules) => schedules.create(spec, owner));
    return answerWritten(c, spec, written);
  })
  .get("/schedules/:schedule_id", async (c) => {
    const id = scheduleId(c);
    const schedule = await schedulesOf(c, (schedules) => schedules.view(id));
    if (schedule === null) throw notFound();
    return c.json(schedule);
  })
  .put("/schedules/:schedule_id", async (c) => {
    const spec = checkBody(replacementOf(scheduleId(c)), await readJson(c.req.raw), "schedule");
    checkInput(spec);
    const owner = ownerOf(c, spec);
    const written = await schedulesOf(c, (schedules) => schedules.replace(spec, owner));
    return answerWritten(c, spec, written);
  })
  .delete("/schedules/:schedule_id", async (c) => {
    const id = scheduleId(c);
    if (!(await schedulesOf(c, (schedules) => schedules.remove(id)))) throw notFound();
    return c.body(null, 204);
  })
  .post("/schedules/:schedule_id/pause", async (c) => {
    const id = scheduleId(c);
    const schedule = await schedulesOf(c, (schedules) => schedules.pause(id));
    if (schedule === null) throw notFound();
    return c.json(schedule);
  })
  .post("/schedules/:schedule_id/resume", async (c) => {
    const id = scheduleId(c);
    const schedule = await schedulesOf(c, (schedules) => schedules.resume(id));
    if (schedule === null) throw notFound();
    return c.json(schedule);
  })
  .post("/schedules/:schedule_id/trigger", (c) => trigger(c));
