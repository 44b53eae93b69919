import {
  heartbeat,
  isLaterGeneration,
  jsonObject,
  progressUpdate,
  reportedResult,
  RXON_VERSION,
  RXON_VERSION_HEADER,
  taskLog,
  workerEvent,
  workerRegistration,
  type JsonObject,
  type ResultAck,
} from "@batuta/worker/protocol";
import { Hono, type Context } from "hono";
import { createMiddleware } from "hono/factory";
import { callObject } from "../../../durable-objects/shared/call-object.ts";
import { REPLAYED } from "../../access/seen-messages.ts";
import { tellWorkerEvent } from "../../history/tell-worker.ts";
import { MAX_POLL_SECONDS } from "../../limits.ts";
import { log } from "../../observability/log.ts";
import { callShard } from "../../registry/call-shard.ts";
import { noteRegistered } from "../../registry/worker-home.ts";
import { regionOfWorker, regionSaid } from "../../registry/worker-region.ts";
import { NOT_HELD } from "../../job/worker-event.ts";
import { tellJob } from "../../registry/worker-events.ts";
import { checkBody, readOptionalJson, readText } from "../body.ts";
import type { HttpEnv } from "../http-env.ts";
import {
  messageReplayed,
  ownerOfNamelessSocket,
  requireSignature,
  requireWorkerInBody,
  requireWorkerInPath,
} from "../middleware/require-worker.ts";
import { Problem } from "../problem.ts";
import { heartbeatAnswer, registrationAnswer, resultAnswer } from "../worker-answers.ts";
import { handOver, pollTask } from "./long-poll.ts";
import { openWorkerSocket } from "./worker-socket.ts";
import { atWorkersShard, openWorkersLine } from "./workers-shard.ts";

/** The shorter of what the worker asks for and what the deployment allows; an empty `?timeout=` asks for nothing. */
function pollMs(asked: string | undefined, allowedMs: number): number {
  const seconds = asked === undefined || asked.trim() === "" ? Infinity : Number(asked);
  if (Number.isNaN(seconds) || seconds < 0) {
    throw new Problem(400, "bad_request", "timeout must be a number of seconds, 0 or more.");
  }
  return Math.min(seconds * 1000, allowedMs, MAX_POLL_SECONDS * 1000);
}

/** What a worker of the later generation says with its poll, for the registry. */
function pollWishes(query: Record<string, string>): URLSearchParams {
  const { available_skills: available, hot_skills: hot } = query;
  return new URLSearchParams({
    ...(available !== undefined && { available_skills: available }),
    ...(hot !== undefined && { hot_skills: hot }),
  });
}

/** Tells workers that ask for it which version of their protocol is spoken here. */
const rxonVersion = createMiddleware<HttpEnv>(async (c, next) => {
  await next();
  if (c.req.header(RXON_VERSION_HEADER) !== undefined && c.res.status !== 101)
    c.header(RXON_VERSION_HEADER, RXON_VERSION);
});

/** Whether the worker of the request has a task that it says something of. */
function holdsTask(c: Context<HttpEnv>, { job_id, task_id }: { job_id: string; task_id: string }): Promise<boolean> {
  const workerId = c.get("workerId");
  return atWorkersShard(
    c,
    workerId,
    (name) => callShard<Promise<boolean>>(c.env, name, (shard) => shard.hasTask(workerId, { job_id, task_id })),
    (holds) => (holds ? "yes" : "in doubt"),
  );
}

/** The routes below `/_worker` (spec §5). All need a worker's token. */
export const workerApi = new Hono<HttpEnv>()
  .use(rxonVersion)
  .post("/workers/register", requireWorkerInBody, async (c) => {
    const registration = checkBody(workerRegistration, c.get("body"), "registration");
    // Kept with the worker, so that it is found again by requests that do not say it.
    const region = regionSaid(c.req.raw, registration.region) ?? registration.region;
    const signed = c.get("signed");
    const taken = await atWorkersShard(
      c,
      registration.worker_id,
      (name, ifKnown) =>
        callShard(c.env, name, (shard) => shard.register({ ...registration, region }, ifKnown, signed)),
      (answer) => (answer === false ? "no" : "yes"),
      registration.region,
    );
    if (taken === REPLAYED) throw messageReplayed();
    const { security: _security, ...shown } = registration;
    noteRegistered(c.get("settings").shards, {
      id: registration.worker_id,
      region: regionOfWorker(c.req.raw, registration.region),
    });
    const sent = tellWorkerEvent(c.env, registration.worker_id, "registered", shown);
    const settings = c.get("settings");
    c.executionCtx.waitUntil(
      sent.catch((error: unknown) => log(settings, "WARNING", "history.delayed", { error: String(error) })),
    );
    return c.json(registrationAnswer(registration, c.req.header(RXON_VERSION_HEADER)));
  })
  .patch("/workers/:worker_id", requireWorkerInPath, async (c) => {
    const workerId = c.get("workerId");
    const text = await readText(c.req.raw);
    const body = readOptionalJson(text);
    const empty = typeof body !== "object" || body === null || Object.keys(body).length === 0;
    const signed = empty ? null : requireSignature(c, text, body);
    const update = empty ? null : checkBody(heartbeat, body, "heartbeat");
    // The first generation's workers may say any name: it changes nothing.
    if (update !== null && isLaterGeneration(update) && (update["worker_id"] ?? workerId) !== workerId) {
      throw new Problem(403, "forbidden", "Immediate sender ID mismatch");
    }
    const worker = await atWorkersShard<JsonObject | null | typeof REPLAYED>(
      c,
      workerId,
      (name) => callShard(c.env, name, (shard) => shard.heartbeat(workerId, update, signed)),
      // A task that this shard does not know may be with another one, where the worker was before.
      (answer) => {
        if (answer === null) return "no";
        return answer !== REPLAYED && "cancel_task_ids" in answer ? "in doubt" : "yes";
      },
    );
    if (worker === REPLAYED) throw messageReplayed();
    if (worker === null) throw new Problem(404, "worker_not_found", "Worker not found");
    return c.json(heartbeatAnswer(update, worker));
  })
  .get("/workers/:worker_id/tasks/next", requireWorkerInPath, async (c) => {
    const waitMs = pollMs(c.req.query("timeout"), c.get("settings").pollMs);
    const workerId = c.get("workerId");
    const line = await openWorkersLine(c, "poll", workerId, pollWishes(c.req.query()));
    const { signal } = c.req.raw;
    const task = await pollTask(line, waitMs, signal);
    return task === null ? c.body(null, 204) : handOver(task, signal, (work) => c.executionCtx.waitUntil(work));
  })
  .post("/tasks/result", requireWorkerInBody, async (c) => {
    const result = checkBody(reportedResult, c.get("body"), "result");
    const workerId = c.get("workerId");
    const ack = await atWorkersShard<ResultAck | null>(
      c,
      workerId,
      (name, ifKnown) =>
        callShard<Promise<ResultAck | null>>(c.env, name, (shard) =>
          ifKnown ? shard.knownResult(workerId, result) : shard.result(workerId, result),
        ),
      (answer) => (answer === null ? "no" : "yes"),
    );
    if (ack === null) throw new Error("The registry did not say how a result was taken.");
    const answer = resultAnswer(jsonObject.parse(c.get("body")), ack);
    if (answer === null) throw new Problem(404, "job_not_found", "Job not found");
    return c.json(answer);
  })
  .post("/tasks/progress", requireWorkerInBody, async (c) => {
    const update = checkBody(progressUpdate, c.get("body"), "progress update");
    if (!(await holdsTask(c, update)))
      return c.json({ status: "ignored", reason: "worker_mismatch", message: NOT_HELD });
    await callObject(c.env.JOBS, update.job_id, (job) => job.progress(update.task_id, update.progress, update.message));
    return c.json({ status: "progress_accepted" });
  })
  .post("/tasks/log", requireWorkerInBody, async (c) => {
    const lines = checkBody(taskLog, c.get("body"), "log");
    const workerId = c.get("workerId");
    const taken = await atWorkersShard(
      c,
      workerId,
      (name) => callShard(c.env, name, (shard) => shard.taskLog(workerId, lines)),
      ({ status }) => (status === "ignored" ? "in doubt" : "yes"),
    );
    return c.json(taken);
  })
  .post("/events", requireWorkerInBody, async (c) => {
    const event = checkBody(workerEvent, c.get("body"), "event");
    const holds = await holdsTask(c, { job_id: event.target_job_id, task_id: event.target_task_id });
    const error = await tellJob(c.env, c.get("workerId"), event, holds);
    return c.json(error === null ? { status: "event_accepted" } : { status: "error", message: error });
  })
  .get("/ws", async (c) => {
    return openWorkerSocket(c, await ownerOfNamelessSocket(c));
  })
  .get("/ws/:worker_id", requireWorkerInPath, (c) => openWorkerSocket(c, c.get("workerId")));
