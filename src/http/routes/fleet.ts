import { identifier, jsonObject, type JsonObject, type ServerFrame } from "@batuta/worker/protocol";
import { type Context, Hono } from "hono";
import { z } from "zod";
import type { DrainOrder } from "../../../durable-objects/registry-shard/fleet.ts";
import type { RegistryShard } from "../../../durable-objects/registry-shard/registry-shard-object.ts";
import { mapLimit, PARALLEL_CALLS } from "../../../durable-objects/shared/map-limit.ts";
import { tellWorkerEvent } from "../../history/tell-worker.ts";
import { MAX_COMMAND_BYTES, MAX_DRAIN_SECONDS, MAX_REASON_CHARS } from "../../limits.ts";
import { log } from "../../observability/log.ts";
import { callShard, callShardInTime } from "../../registry/call-shard.ts";
import { checkBody, readJson, readJsonOrNothing } from "../body.ts";
import type { HttpEnv } from "../http-env.ts";
import { Problem } from "../problem.ts";
import { requireAdmin } from "../require-admin.ts";
import { nameAway, shardNames } from "../shards.ts";

const drainBody = z.strictObject({
  deadline_seconds: z.number().min(0).max(MAX_DRAIN_SECONDS).optional(),
  reason: z.string().trim().min(1).max(MAX_REASON_CHARS).optional(),
});

/** Words that have a route of their own, since the orchestrator has a part in what they mean. */
const TAKEN: Readonly<Record<string, string>> = {
  drain: "Drain the worker with POST …/admin/workers/{id}/drain.",
  undrain: "Let it take tasks again with POST …/admin/workers/{id}/undrain.",
  cancel_task: "Cancel the job with POST …/jobs/{id}/cancel.",
};

const commandBody = z.strictObject({
  command: z.string().regex(/^[a-zA-Z][a-zA-Z0-9_.-]{0,99}$/, "must be 1 to 100 letters, digits, '_', '.' or '-'"),
  params: jsonObject
    .refine(
      (params) => JSON.stringify(params).length <= MAX_COMMAND_BYTES,
      `must be ${MAX_COMMAND_BYTES} bytes at most`,
    )
    .optional(),
});

const updateParams = z.strictObject({ version: z.string().min(1).max(200).optional() });

async function drainOrder(c: Context<HttpEnv>): Promise<DrainOrder> {
  const body = checkBody(drainBody, (await readJsonOrNothing(c.req.raw)) ?? {}, "drain");
  return {
    deadline: body.deadline_seconds === undefined ? null : Date.now() + body.deadline_seconds * 1000,
    reason: body.reason ?? null,
  };
}

function workerNotFound(): Problem {
  return new Problem(404, "worker_not_found", "Worker not found");
}

/**
 * Asks every shard, for a worker's id does not say which one has it. One that is away matters only where no other has
 * the worker.
 * @param isBetter says of an answer that it is that of the shard where the worker is now: it may have moved
 * @throws {Problem} 404 when none does
 */
async function atWorker<T>(
  c: Context<HttpEnv>,
  ask: (shard: DurableObjectStub<RegistryShard>, workerId: string) => Promise<T | null>,
  isBetter: (answer: T) => boolean,
): Promise<{ readonly workerId: string; readonly answer: T }> {
  const parsed = identifier.safeParse(c.req.param("worker_id"));
  if (!parsed.success) throw workerNotFound();
  const workerId = parsed.data;
  const failures: unknown[] = [];
  const answers = await mapLimit(shardNames(c), PARALLEL_CALLS, async (name) => {
    try {
      return await callShard(c.env, name, (shard) => ask(shard, workerId));
    } catch (error) {
      failures.push(error);
      return null;
    }
  });
  const known = answers.filter((each) => each !== null);
  const best = known.find(isBetter);
  if (best === undefined && failures.length > 0) throw failures[0];
  const answer = best ?? known[0] ?? null;
  if (answer === null) throw workerNotFound();
  return { workerId, answer };
}

const isLive = ({ live }: JsonObject) => live === true;

function shardName(c: Context<HttpEnv>): string {
  const name = c.req.param("name") ?? "";
  shardNames(c, name);
  return name;
}

/** Notes in the worker's history what an operator did; it is not held up by it. */
function note(
  c: Context<HttpEnv>,
  workerId: string,
  type: "drained" | "undrained" | "reputation_reset",
  more: JsonObject = {},
): void {
  const told = tellWorkerEvent(c.env, workerId, type, { by: c.get("client").name, ...more });
  const settings = c.get("settings");
  c.executionCtx.waitUntil(
    told.catch((error: unknown) => log(settings, "WARNING", "history.delayed", { error: String(error) })),
  );
}

/** `update` has a frame of its own, which workers know; any other word is the worker's own. */
function frameOf({ command, params }: z.infer<typeof commandBody>): ServerFrame {
  const taken = TAKEN[command];
  if (taken !== undefined) throw new Problem(400, "bad_request", `${command} is not sent as a command. ${taken}`);
  if (command !== "update") return { type: "command", command, ...(params === undefined ? {} : { params }) };
  return { type: "update", command: "update", ...checkBody(updateParams, params ?? {}, "update") };
}

/** What operators do with workers and shards, below `/api/{version}`. */
export const fleetApi = new Hono<HttpEnv>()
  .use("/admin/workers/*", async (c, next) => {
    requireAdmin(c.get("client"));
    await next();
  })
  .use("/admin/shards/*", async (c, next) => {
    requireAdmin(c.get("client"));
    await next();
  })
  .post("/admin/workers/:worker_id/drain", async (c) => {
    const order = await drainOrder(c);
    const { workerId, answer } = await atWorker<JsonObject>(c, (shard, id) => shard.drainWorker(id, order), isLive);
    note(c, workerId, "drained", { ...order });
    return c.json(answer);
  })
  .post("/admin/workers/:worker_id/undrain", async (c) => {
    const { workerId, answer } = await atWorker<JsonObject>(c, (shard, id) => shard.undrainWorker(id), isLive);
    note(c, workerId, "undrained");
    return c.json(answer);
  })
  .post("/admin/workers/:worker_id/reset-reputation", async (c) => {
    const why = `reset by ${c.get("client").name}`;
    const { workerId, answer } = await atWorker<JsonObject>(c, (shard, id) => shard.resetReputation(id, why), isLive);
    note(c, workerId, "reputation_reset");
    return c.json(answer);
  })
  .post("/admin/workers/:worker_id/commands", async (c) => {
    const frame = frameOf(checkBody(commandBody, await readJson(c.req.raw), "command"));
    const { workerId, answer: heard } = await atWorker(
      c,
      (shard, id) => shard.command(id, frame),
      (reached) => reached,
    );
    if (!heard) {
      const text = `Worker ${workerId} has no open WebSocket, and commands reach workers over it only. Start it with WORKER_ENABLE_WEBSOCKETS=true, or try again once it is connected.`;
      throw new Problem(409, "conflict", text);
    }
    return c.json({ status: "sent", worker_id: workerId }, 202);
  })
  .get("/admin/shards", async (c) => {
    // Whoever looks at the shards may do so because one of them is away.
    const shards = await mapLimit(shardNames(c), PARALLEL_CALLS, async (name) => {
      try {
        return { name, ...(await callShardInTime(c.env, name, (shard) => shard.status())) };
      } catch (error) {
        return { name, error: error instanceof Error ? error.message : String(error) };
      }
    });
    nameAway(
      c,
      shards.flatMap((shard) => ("error" in shard ? [shard.name] : [])),
    );
    return c.json({ shards });
  })
  .post("/admin/shards/:name/drain", async (c) => {
    const [name, order] = [shardName(c), await drainOrder(c)];
    return c.json({ name, ...(await callShard(c.env, name, (shard) => shard.drain(order))) });
  })
  .post("/admin/shards/:name/undrain", async (c) => {
    const name = shardName(c);
    return c.json({ name, ...(await callShard(c.env, name, (shard) => shard.undrain())) });
  });
