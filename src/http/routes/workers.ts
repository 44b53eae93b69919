import { jsonObject, type JsonObject } from "@batuta/worker/protocol";
import { Hono } from "hono";
import { z } from "zod";
import { MAX_PAGE } from "../../limits.ts";
import { callShardInTime } from "../../registry/call-shard.ts";
import { REGIONS } from "../../registry/regions.ts";
import { hintOf } from "../../registry/shard-plan.ts";
import { workerPage } from "../../registry/worker-pages.ts";
import { checkBody } from "../body.ts";
import type { HttpEnv } from "../http-env.ts";
import { pageQuery, turnPage } from "../page.ts";
import { nameAway, shardNames } from "../shards.ts";

const listing = z.object({
  ...pageQuery,
  // Clients of before there were pages take the first for all.
  limit: pageQuery.limit.prefault(String(MAX_PAGE)),
  task_type: z.string().optional(),
  status: z.string().optional(),
  worker_type: z.string().optional(),
  shard: z.string().optional(),
  region: z.enum(REGIONS).optional(),
});

/** Where a worker runs, and which tasks it has or owes its reputation to, is the operator's business, not every client's. */
function forClients({ reputation_reason: _why, current_tasks: _tasks, ...worker }: JsonObject): JsonObject {
  return withoutAddress(worker);
}

function withoutAddress({ hostname: _host, ip_address: _ip, capabilities, ...rest }: JsonObject): JsonObject {
  const inner = jsonObject.safeParse(capabilities);
  return inner.success ? { ...rest, capabilities: withoutAddress(inner.data) } : rest;
}

/** The live workers of all shards, a page at a time. */
export const workersApi = new Hono<HttpEnv>().get("/workers", async (c) => {
  const { shard, region, limit, cursor, ...wanted } = checkBody(listing, c.req.query(), "query");
  const names = shardNames(c, shard).filter((name) => region === undefined || hintOf(name) === region);
  const filter = {
    taskType: wanted.task_type ?? null,
    status: wanted.status ?? null,
    workerType: wanted.worker_type ?? null,
  };
  const page = await workerPage(names, { ...filter, limit, cursor }, (name, query) =>
    callShardInTime(c.env, name, (registry) => registry.workerPage(query)),
  );
  const { workers, away } = turnPage(c, page);
  nameAway(c, away);
  return c.json(c.get("client").admin ? workers : workers.map(forClients));
});
