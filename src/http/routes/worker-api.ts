import {
  heartbeat,
  progressUpdate,
  reportedResult,
  taskLog,
  workerEvent,
  workerRegistration,
} from "@batuta/worker/protocol";
import { type Context, Hono } from "hono";
import { WORKER_SUBPROTOCOL } from "../../access/credentials.ts";
import { callObject } from "../../../durable-objects/shared/call-object.ts";
import { tellWorkerEvent } from "../../history/tell-worker.ts";
import { MAX_POLL_SECONDS } from "../../limits.ts";
import { log } from "../../observability/log.ts";
import { callShard, openLine } from "../../registry/call-shard.ts";
import { homeOf } from "../../registry/shard-plan.ts";
import { regionOfWorker } from "../../registry/worker-region.ts";
import { tellJob } from "../../registry/worker-events.ts";
import { checkBody, readOptionalJson } from "../body.ts";
import type { HttpEnv } from "../http-env.ts";
import { requireWorkerInBody, requireWorkerInPath } from "../middleware/require-worker.ts";
import { Problem } from "../problem.ts";
import { pollTask } from "./long-poll.ts";

/** The shorter of what the worker asks for and what the deployment allows. */
function pollMs(asked: string | undefined, allowedMs: number): number {
  const seconds = asked === undefined ? Infinity : Number(asked);
  if (Number.isNaN(seconds) || seconds < 0) {
    throw new Problem(400, "bad_request", "timeout must be a number of seconds, 0 or more.");
  }
  return Math.min(seconds * 1000, allowedMs, MAX_POLL_SECONDS * 1000);
}

function homeOfWorker(c: Context<HttpEnv>, workerId: string, registered?: string | null): string {
  return homeOf(c.get("settings").shards, regionOfWorker(c.req.raw, registered), workerId);
}

/** The routes below `/_worker` (spec §5). All need a worker's token. */
export const workerApi = new Hono<HttpEnv>()
  .post("/workers/register", requireWorkerInBody, async (c) => {
    const registration = checkBody(workerRegistration, c.get("body"), "registration");
    const home = homeOfWorker(c, registration.worker_id, registration.region);
    await callShard(c.env, home, (shard) => shard.register(registration));
    const { security: _security, ...shown } = registration;
    const sent = tellWorkerEvent(c.env, registration.worker_id, "registered", shown);
    const settings = c.get("settings");
    c.executionCtx.waitUntil(
      sent.catch((error: unknown) => log(settings, "WARNING", "history.delayed", { error: String(error) })),
    );
    return c.json({ status: "registered" });
  })
  .patch("/workers/:worker_id", requireWorkerInPath, async (c) => {
    const workerId = c.get("workerId");
    const body = await readOptionalJson(c.req.raw);
    const empty = typeof body !== "object" || body === null || Object.keys(body).length === 0;
    const update = empty ? null : checkBody(heartbeat, body, "heartbeat");
    const worker = await callShard(c.env, homeOfWorker(c, workerId), (shard) => shard.heartbeat(workerId, update));
    if (worker === null) throw new Problem(404, "worker_not_found", "Worker not found");
    return c.json(update === null ? { status: "ttl_refreshed" } : worker);
  })
  .get("/workers/:worker_id/tasks/next", requireWorkerInPath, async (c) => {
    const waitMs = pollMs(c.req.query("timeout"), c.get("settings").pollMs);
    const workerId = c.get("workerId");
    const task = await pollTask(c.env, homeOfWorker(c, workerId), workerId, waitMs, c.req.raw.signal);
    return task === null ? c.body(null, 204) : c.body(task, 200, { "Content-Type": "application/json; charset=utf-8" });
  })
  .post("/tasks/result", requireWorkerInBody, async (c) => {
    const result = checkBody(reportedResult, c.get("body"), "result");
    const workerId = c.get("workerId");
    const ack = await callShard(c.env, homeOfWorker(c, workerId), (shard) => shard.result(workerId, result));
    if (ack.reason === "job_not_found") throw new Problem(404, "job_not_found", "Job not found");
    return c.json(ack);
  })
  .post("/tasks/progress", requireWorkerInBody, async (c) => {
    const update = checkBody(progressUpdate, c.get("body"), "progress update");
    await callObject(c.env.JOBS, update.job_id, (job) => job.progress(update.task_id, update.progress, update.message));
    return c.json({ status: "progress_accepted" });
  })
  .post("/tasks/log", requireWorkerInBody, async (c) => {
    const lines = checkBody(taskLog, c.get("body"), "log");
    const workerId = c.get("workerId");
    return c.json(await callShard(c.env, homeOfWorker(c, workerId), (shard) => shard.taskLog(workerId, lines)));
  })
  .post("/events", requireWorkerInBody, async (c) => {
    const error = await tellJob(c.env, c.get("workerId"), checkBody(workerEvent, c.get("body"), "event"));
    return c.json(error === null ? { status: "event_accepted" } : { status: "error", message: error });
  })
  .get("/ws/:worker_id", requireWorkerInPath, async (c) => {
    if (c.req.header("Upgrade")?.toLowerCase() !== "websocket") {
      throw new Problem(426, "upgrade_required", "This is a WebSocket endpoint.", {
        headers: { Upgrade: "websocket" },
      });
    }
    const workerId = c.get("workerId");
    const response = await openLine(c.env, homeOfWorker(c, workerId), `/ws/${workerId}`);
    const offered = c.req.header("Sec-WebSocket-Protocol")?.includes(WORKER_SUBPROTOCOL) === true;
    const headers = offered ? { "Sec-WebSocket-Protocol": WORKER_SUBPROTOCOL } : {};
    return new Response(null, { status: 101, webSocket: response.webSocket, headers });
  });
