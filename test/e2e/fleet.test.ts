import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { sideOf } from "../../src/dispatch/ramp.ts";
import type { ApiClient } from "../support/api-client.ts";
import { BatutaServer } from "../support/batuta-server.ts";
import { startBatuta } from "../support/server-process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { WorkerProcess } from "../support/worker-process.ts";

const RAMP = { version: "2.0", percent: 40 };

let server: BatutaServer;
let alice: ApiClient;

beforeAll(async () => {
  const data = join(temporaryFolder(), "data");
  mkdirSync(data);
  writeFileSync(
    join(data, "clients.toml"),
    '[clients.alice]\ntoken = "alice-token"\n[clients.operator]\ntoken = "operator-token"\nadmin = true\n',
  );
  const dispatch = join(data, "dispatch.toml");
  writeFileSync(dispatch, `[task_types.ramped]\nramp_version = "${RAMP.version}"\nramp_percent = ${RAMP.percent}\n`);
  server = await BatutaServer.start({ data, environment: { DISPATCH_CONFIG_PATH: dispatch } });
  alice = server.client("alice");
});
afterAll(() => server.kill());

/** Runs a command of the CLI against the server, as its operator. */
async function batuta(args: readonly string[], token = "operator-token") {
  const { ended, output } = startBatuta([...args, "--url", server.url], { BATUTA_TOKEN: token });
  return { code: await ended, ...output };
}

/** Runs a command that must succeed. @returns what it prints */
async function says(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await batuta(args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

const listed = z.array(z.looseObject({ worker_id: z.string(), connected: z.boolean(), held_tasks: z.number() }));

async function find(workerId: string) {
  const workers = listed.parse((await alice.call("GET", "/workers")).body);
  return workers.find(({ worker_id: id }) => id === workerId);
}

/** A worker that holds the task of a job, and ends none. */
async function holding(type: string, websockets: boolean) {
  const worker = new WorkerProcess(server, { id: `holds-${type}`, type, websockets, slots: 1, holds: true });
  const id = await alice.create("one-task", { type });
  await expect.poll(() => worker.began, { interval: 20, timeout: 20_000 }).toHaveLength(1);
  return { id, worker };
}

describe.each([
  ["a socket", true],
  ["long polls", false],
])("a worker on %s that is drained", (_, websockets) => {
  test("hands its task over to another at the deadline, with the reason in history", async () => {
    const type = `drain-${websockets ? "socket" : "poll"}`;
    const { id, worker } = await holding(type, websockets);
    const said = await says("workers", "drain", `holds-${type}`, "--deadline", "2s", "--reason", "new disk");
    expect(said).toMatch(/^holds-\S+ takes nothing: is draining: new disk; it holds 1; .* goes to others\.\n$/);
    const other = new WorkerProcess(server, { id: `other-${type}`, type, websockets });
    await alice.expectJob(id, { status: "finished" });
    expect(other.began).toHaveLength(1);
    const losses = (await alice.history(id)).filter(({ event_type: event }) => event === "task_lost");
    expect(losses).toMatchObject([{ error: "The worker was drained, and its time to finish was over. new disk" }]);
    await Promise.all([worker.kill(), other.kill()]);
  });
});

test.each([
  ["a socket", "finish-socket", true],
  ["long polls", "finish-poll", false],
])(
  "on %s a worker drained without a deadline finishes what it has, and takes more once undrained",
  async (...setup) => {
    const [, type, websockets] = setup;
    const { id, worker } = await holding(type, websockets);
    await says("workers", "drain", `holds-${type}`);
    const next = await alice.create("one-task", { type });
    worker.release();
    await alice.expectJob(id, { status: "finished" });
    expect(await says("explain", "--token", "alice-token", next)).toMatch(
      /^Job \S+ is waiting_for_worker in state .*\n[^]*Worker +What rules it out\n +holds-finish-\S+ +is draining\n/,
    );
    expect(await says("workers", "undrain", `holds-${type}`)).toContain(`holds-${type} takes tasks`);
    await alice.expectJob(next, { status: "finished" });
    await worker.kill();
  },
);

test("a ramp sends its share of the tasks to the new version; all goes to the old one once the new is gone", async () => {
  const type = "ramped";
  const [before, after] = ["1.0", "2.0"].map(
    (version) => new WorkerProcess(server, { id: `version-${version[0]}`, type, version, websockets: true, slots: 20 }),
  );
  if (before === undefined || after === undefined) throw new Error("There are two.");
  await expect.poll(() => find("version-1"), { timeout: 20_000 }).toMatchObject({ slots: 20, version: "1.0" });
  await expect.poll(() => find("version-2"), { timeout: 20_000 }).toMatchObject({ slots: 20, version: "2.0" });
  const ids = await Promise.all(Array.from({ length: 30 }, () => alice.create("one-task", { type })));
  for (const id of ids) await alice.expectJob(id, { status: "finished" });
  const sides = Object.groupBy([...before.began, ...after.began], (task) => sideOf(task, RAMP));
  expect(after.began.toSorted()).toEqual((sides.ramped ?? []).toSorted());
  expect(before.began.toSorted()).toEqual((sides.rest ?? []).toSorted());
  await after.kill();
  const more = await Promise.all(Array.from({ length: 10 }, () => alice.create("one-task", { type })));
  for (const id of more) await alice.expectJob(id, { status: "finished" }, 40_000);
  await before.kill();
});

test("workers are listed in a table or as JSON, and their reputation can be reset", async () => {
  const worker = new WorkerProcess(server, { id: "listed", type: "list", websockets: true });
  await expect.poll(() => find("listed"), { timeout: 20_000 }).toMatchObject({ connected: true });
  const table = await says("workers", "list");
  expect(table).toMatch(/^WORKER +VERSION +LINE +HOLDS +REPUTATION +TAKES +NOTE\n/);
  expect(table).toMatch(/^listed +\S+ +socket +0 +1\.00 +list$/m);
  const json = listed.parse(JSON.parse(await says("workers", "list", "--json")));
  expect(json).toContainEqual(expect.objectContaining({ worker_id: "listed" }));
  expect(await says("workers", "list", "--task-type", "list", "--status", "idle")).toMatch(/\nlisted .*\n$/);
  expect(await says("workers", "list", "--task-type", "paint")).toBe("There are no live workers.\n");
  expect(await says("workers", "reset-reputation", "listed")).toMatch(/reputation 1 \(reset by operator\)/);
  expect(await says("workers", "command", "listed", "purge", "--params", '{"keep":2}')).toBe("Sent purge to listed.\n");
  await worker.kill();
});

test("shards are listed and drained", async () => {
  expect(await says("shards", "list")).toMatch(/^SHARD +WORKERS +CONNECTED +HELD +WAITING +NOTE\nshard-0 .*\n$/);
  expect(await says("shards", "drain", "shard-0", "--reason", "move")).toMatch(/^shard-0 .* draining: move$/m);
  const worker = new WorkerProcess(server, { id: "sharded", type: "shard", websockets: false });
  const id = await alice.create("one-task", { type: "shard" });
  await expect.poll(() => find("sharded"), { timeout: 20_000 }).toMatchObject({ held_tasks: 0 });
  expect(await says("shards", "undrain", "shard-0")).not.toContain("draining");
  await alice.expectJob(id, { status: "finished" });
  await worker.kill();
});

test.each<[string, string[], string | undefined, RegExp]>([
  ["by no operator", ["workers", "drain", "w"], "alice-token", /no operator.*admin = true/],
  ["with an unknown token", ["workers", "list"], "nobody", /does not know the token/],
  ["for a worker that is not there", ["workers", "drain", "nobody"], undefined, /refuses: Worker not found/],
  ["for a shard that is not there", ["shards", "drain", "x"], undefined, /refuses: There is no shard x\. There are: /],
  ["for a job that is not there", ["explain", "none"], undefined, /refuses: Job not found/],
  ["with a deadline that is none", ["workers", "drain", "w", "--deadline", "soon"], undefined, /"soon" is no time/],
  ["with params that are none", ["workers", "command", "w", "hi", "--params", "2"], undefined, /must be a JSON object/],
  ["with an option that there is not", ["workers", "list", "--all"], undefined, /There is no option --all/],
  ["with more than it takes", ["workers", "drain", "w", "v"], undefined, /takes no "v"/],
])("a command %s fails with what to do", async (_, args, token, text) => {
  const { code, stdout, stderr } = await batuta(args, token);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(text);
});
