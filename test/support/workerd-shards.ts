import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { jsonObject, taskPayload, type JsonObject, type TaskPayload } from "@batuta/worker/protocol";
import { vi } from "vitest";
import { z } from "zod";
import { callShard } from "../../src/registry/call-shard.ts";
import { parseShards, homeOf } from "../../src/registry/shard-plan.ts";
import type { Region } from "../../src/registry/regions.ts";
import { eventually, unique, WORKER } from "./workerd-api.ts";
import { namespaces } from "./workerd-objects.ts";
import { openSocket, register, type WorkerSocket } from "./workerd-worker.ts";

/** The shards of the tests in test/workerd-shards, as vitest.config.ts has them. */
const parsed = parseShards("weur=2, enam=1");
if (!parsed.ok) throw new Error(parsed.error);
export const PLAN = parsed.value;

export const shardNamed = (name: string) => env.REGISTRY.getByName(name);

/** A worker's id whose home is this shard. */
export function workerAt(shard: string, region: Region): string {
  for (;;) {
    const id = unique();
    if (homeOf(PLAN, region, id) === shard) return id;
  }
}

/** A connected worker that says in which region it is. */
export async function workerIn(
  region: Region,
  tasks: readonly string[],
  { slots = 1, workerId = unique() } = {},
): Promise<WorkerSocket> {
  await register(workerId, { supported_tasks: tasks, region });
  const socket = await openSocket(workerId, { ...WORKER, "X-Worker-Region": region });
  await socket.hello(tasks, { slots });
  return socket;
}

/** A live worker as a shard shows it; undefined when the shard does not have it. */
export async function workerOf(shard: string, workerId: string): Promise<JsonObject | undefined> {
  const workers = z.array(jsonObject).parse(await callShard(env, shard, (object) => object.workers()));
  return workers.find((worker) => worker["worker_id"] === workerId);
}

/** The shards that know a worker. */
export async function shardsOf(workerId: string): Promise<string[]> {
  const found = await Promise.all(PLAN.names.map((name) => workerOf(name, workerId)));
  return PLAN.names.filter((_, i) => found[i] !== undefined);
}

/** The shards in which a job's first task is, and as what; whichever attempt of the first few it is. */
export async function whereIs(jobId: string): Promise<Record<string, string>> {
  const refs = [1, 2, 3, 4].map((attempt) => ({ jobId, taskId: `${jobId}-1`, attempt }));
  const lists = await Promise.all(PLAN.names.map((name) => shardNamed(name).locate(refs)));
  const found = PLAN.names.flatMap((name, i) => {
    const known = lists[i]?.map(({ is }) => is).find((is) => is !== "unknown");
    return known === undefined ? [] : [[name, known] as const];
  });
  return Object.fromEntries(found);
}

/** Notes the names of objects that are called, once a call, until mocks are restored. */
export function noteCalls(): readonly string[] {
  const calls: string[] = [];
  const { getByName } = namespaces;
  vi.spyOn(namespaces, "getByName").mockImplementation(function (this: typeof env.REGISTRY, name, options) {
    calls.push(name);
    return getByName.call(this, name, options);
  });
  return calls;
}

/** A poll that a worker has open at some shard, as an edge with other shards would have opened it. */
export async function pollAt(shard: string, workerId: string): Promise<() => Promise<TaskPayload>> {
  const { webSocket } = await shardNamed(shard).fetch(`https://shard/poll/${workerId}`, {
    headers: { Upgrade: "websocket" },
  });
  if (webSocket === null) throw new Error("The shard did not open a line.");
  const message = new Promise<TaskPayload>((resolve) => {
    webSocket.addEventListener("message", ({ data }) => {
      webSocket.send("taken");
      resolve(taskPayload.parse(JSON.parse(String(data))));
    });
  });
  webSocket.accept();
  const open = () => runInDurableObject(shardNamed(shard), (_, state) => state.getWebSockets(workerId).length);
  await eventually(open).toBeGreaterThan(0);
  return () => message;
}

/** Expects that a job's first task is in these shards and nowhere else. */
export function expectAt(jobId: string, where: Record<string, string>): Promise<void> {
  return eventually(() => whereIs(jobId)).toEqual(where);
}
