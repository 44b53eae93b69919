import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import type { ApiClient } from "../support/api-client.ts";
import { BatutaServer } from "../support/batuta-server.ts";
import { CountingProxy } from "../support/counting-proxy.ts";
import type { ProcessGroup } from "../support/process-group.ts";
import { install, startGuided, startProgram, type Release } from "./published-worker.ts";

const WORKER_ID = "python-1";
const ODD = { half: 0.5, tiny: 1.5e-6, whole: 2, name: "Ünïcödé 😀" };
const PATCH = /^\/_worker\/workers\/[^/]+$/;
const SOCKET = /^\/_worker\/ws(\/|$)/;

const until = <T>(look: () => T | Promise<T>) => vi.waitFor(look, { timeout: 20_000, interval: 50 });

async function listedWorker(client: ApiClient, like: object): Promise<void> {
  await until(async () => {
    expect((await client.call("GET", "/workers")).body).toContainEqual(expect.objectContaining(like));
  });
}

let releases: Record<"newest" | "early", Release>;
beforeAll(async () => {
  const [newest, early] = await Promise.all([install(""), install("-early")]);
  releases = { newest, early };
});

describe.each([
  ["the newest release", "newest"],
  ["release 1.0b3", "early"],
] as const)("a worker of %s", (_, generation) => {
  let release: Release;
  beforeAll(() => {
    release = releases[generation];
  });

  test("does the jobs of the guide, started as the guide says", async () => {
    const data = join(release.folder, ".batuta");
    const server = await BatutaServer.start({ blueprints: "hello.ts", data, cwd: release.folder });
    const worker = startGuided(release, server.url);
    await listedWorker(server.client(), { worker_id: WORKER_ID, worker_type: "greeter" });
    const id = await server.client().create("hello", { names: ["Ada", "Grace"] });
    await server.client().expectJob(id, { status: "finished", result: "Hello, Ada!\nHello, Grace!" });
    await Promise.all([worker.kill("SIGKILL"), server.kill()]);
  });

  describe("on a server that counts", () => {
    let server: BatutaServer;
    let alice: ApiClient;
    let proxy: CountingProxy;
    let worker: ProcessGroup;
    beforeAll(async () => {
      server = await BatutaServer.start({ clients: ["alice"], environment: { JOB_MAX_RETRIES: "1" } });
      alice = server.client("alice");
      proxy = await CountingProxy.start(server.url);
      worker = startProgram(release, `${generation}_worker.py`, {
        ORCHESTRATOR_URL: proxy.url,
        WORKER_ID,
        WORKER_TOKEN: server.workerToken,
        WORKER_ENABLE_WEBSOCKETS: "true",
        HEARTBEAT_INTERVAL: "1",
      });
    });
    afterAll(() => worker.kill("SIGKILL"));

    test("registers", async () => {
      await listedWorker(alice, { worker_id: WORKER_ID, worker_type: `${generation}-python`, status: "idle" });
      expect(proxy.statuses("POST", "/_worker/workers/register")).toEqual([200]);
    });

    test("sends heartbeats", async () => {
      await until(() => expect(proxy.statuses("PATCH", PATCH).length).toBeGreaterThan(2));
    });

    test("takes tasks, and its results are taken", async () => {
      const id = await alice.create("one-task", { value: { text: "Ångström", list: [1, 2.5] } });
      await alice.expectJob(id, {
        status: "finished",
        state_history: { echoed: { text: "Ångström", list: [1, 2.5] }, odd: ODD },
      });
    });

    test("takes several tasks at once", async () => {
      const id = await alice.create("fan-out", { type: "slow", count: 3 });
      await listedWorker(alice, { worker_id: WORKER_ID, held_tasks: 3 });
      await alice.call("POST", `/jobs/${id}/cancel`);
      await alice.expectJob(id, { status: "cancelled" });
      await listedWorker(alice, { worker_id: WORKER_ID, held_tasks: 0 });
    });

    test.each([
      ["PERMANENT_ERROR", "quarantined"],
      ["INVALID_INPUT_ERROR", "failed"],
      ["TRANSIENT_ERROR", "quarantined"],
    ])("says how a task failed: %s", async (code, status) => {
      const id = await alice.create("one-task", { type: "fail", value: code });
      await alice.expectJob(id, { status, error_message: expect.stringContaining("on purpose") });
      const attempts = (await alice.history(id)).map((row) => row.attempt_number ?? 0);
      expect(Math.max(...attempts)).toBe(code === "TRANSIENT_ERROR" ? 2 : 1);
    });

    test("tells how far it is, and stops when the job is cancelled", async () => {
      await until(() => expect(proxy.statuses("GET", SOCKET)).toEqual([101]));
      const stops = worker.output.split("slow was stopped").length;
      const id = await alice.create("one-task", { type: "slow" });
      await alice.expectJob(id, { progress: 0.5, progress_message: "half way: ½", task_worker_id: WORKER_ID });
      await alice.call("POST", `/jobs/${id}/cancel`);
      await alice.expectJob(id, { status: "cancelled" });
      await until(() => expect(worker.output.split("slow was stopped").length).toBe(stops + 1));
      // The other way is by a heartbeat.
      if (generation === "newest") expect(worker.output).toMatch(/Cancelled task \S+ by command/);
    });

    test("was never asked to slow down, and nothing of it was refused", () => {
      const statuses = new Set(proxy.exchanges.map(({ status }) => status));
      expect([...statuses].filter((status) => ![101, 200, 204].includes(status))).toEqual([]);
      expect(proxy.exchanges.length).toBeGreaterThan(20);
    });
  });

  if (generation === "newest") newestOnly(() => release);
});

function newestOnly(release: () => Release): void {
  test("registers again with a server that does not know it", async () => {
    const setup = { clients: ["alice"], environment: { GLOBAL_WORKER_TOKEN: "shared-by-both" } };
    const [before, after] = await Promise.all([BatutaServer.start(setup), BatutaServer.start(setup)]);
    const proxy = await CountingProxy.start(before.url);
    const worker = startProgram(release(), "newest_worker.py", {
      ORCHESTRATOR_URL: proxy.url,
      WORKER_ID,
      WORKER_TOKEN: "shared-by-both",
      HEARTBEAT_INTERVAL: "1",
    });
    await listedWorker(before.client(), { worker_id: WORKER_ID });
    proxy.target = after.url;
    await before.kill();
    await listedWorker(after.client(), { worker_id: WORKER_ID, status: "idle" });
    const id = await after.client().create("one-task", { value: 1 });
    await after.client().expectJob(id, { status: "finished" });
    expect(proxy.statuses("POST", "/_worker/workers/register")).toEqual([200, 200]);
    expect(proxy.statuses("PATCH", PATCH)).toContain(404);
    await Promise.all([worker.kill("SIGKILL"), after.kill()]);
  });

  test("does the tasks of the server it shares a secret with, and none of another server", async () => {
    const secret = "known to the worker and one server";
    const setup = (ORCHESTRATOR_SECRET_KEY: string) =>
      BatutaServer.start({ environment: { GLOBAL_WORKER_TOKEN: "shared-by-both", ORCHESTRATOR_SECRET_KEY } });
    const [own, other] = await Promise.all([setup(secret), setup("a secret of another server")]);
    const [trusting, refusing] = [own, other].map(({ url }) =>
      startProgram(release(), "newest_worker.py", {
        ORCHESTRATOR_URL: url,
        ORCHESTRATOR_SECRET_KEY: secret,
        WORKER_ID,
        WORKER_TOKEN: "shared-by-both",
        HEARTBEAT_INTERVAL: "1",
      }),
    );
    for (const priority of [0, 2.5]) {
      const id = await own.client().create("one-task", { value: ODD, priority });
      await own.client().expectJob(id, { status: "finished", state_history: { echoed: ODD } });
    }
    const refused = await other.client().create("one-task", { value: ODD });
    await refusing?.printed(/orchestrator signature verification failed/);
    await other.client().expectJob(refused, { status: "waiting_for_worker" });
    await Promise.all([trusting?.kill("SIGKILL"), refusing?.kill("SIGKILL"), own.kill(), other.kill()]);
  });

  describe("where messages must be signed", () => {
    let server: BatutaServer;
    let alice: ApiClient;
    let proxy: CountingProxy;
    beforeAll(async () => {
      server = await BatutaServer.start({ clients: ["alice"], environment: { WORKER_SIGNATURES: "required" } });
      alice = server.client("alice");
      proxy = await CountingProxy.start(server.url);
    });

    test("signs them, also with short-lived tokens that it fetches", async () => {
      // With an authority of its own the SDK takes short-lived tokens, five seconds after its start.
      const authority = join(release().folder, "authority.pem");
      writeFileSync(authority, rootCertificates[0] ?? "");
      const worker = startProgram(release(), "newest_worker.py", {
        ORCHESTRATOR_URL: proxy.url,
        WORKER_ID,
        WORKER_TOKEN: server.workerToken,
        HEARTBEAT_INTERVAL: "1",
        TASK_POLL_TIMEOUT: "2",
        TLS_CA_PATH: authority,
      });
      const work = async () => {
        const id = await alice.create("one-task", { value: 1.5e-6 });
        await alice.expectJob(id, { status: "finished", state_history: { echoed: 1.5e-6, odd: ODD } });
        const slow = await alice.create("one-task", { type: "slow" });
        await alice.expectJob(slow, { progress: 0.5, progress_message: "half way: ½" });
        await alice.call("POST", `/jobs/${slow}/cancel`);
        await alice.expectJob(slow, { status: "cancelled" });
      };
      await listedWorker(alice, { worker_id: WORKER_ID });
      await work();
      await until(() => expect(proxy.statuses("POST", "/_worker/auth/token")).toEqual([200]));
      const beats = proxy.statuses("PATCH", PATCH).length;
      await until(() => expect(proxy.statuses("PATCH", PATCH).length).toBeGreaterThan(beats + 1));
      await work();
      expect(proxy.statuses("POST", "/_worker/events")).toEqual([200, 200]);
      expect(proxy.exchanges.filter(({ status }) => status >= 400)).toEqual([]);
      await worker.kill("SIGKILL");
    });

    test("signs what it says by its socket too", async () => {
      const counting = await CountingProxy.start(server.url);
      const worker = startProgram(release(), "newest_worker.py", {
        ORCHESTRATOR_URL: counting.url,
        WORKER_ID,
        WORKER_TOKEN: server.workerToken,
        WORKER_ENABLE_WEBSOCKETS: "true",
        HEARTBEAT_INTERVAL: "1",
      });
      await until(() => expect(counting.statuses("GET", SOCKET)).toEqual([101]));
      const slow = await alice.create("one-task", { type: "slow" });
      await alice.expectJob(slow, { progress: 0.5, progress_message: "half way: ½" });
      expect(counting.statuses("POST", "/_worker/events")).toEqual([]);
      await alice.call("POST", `/jobs/${slow}/cancel`);
      await alice.expectJob(slow, { status: "cancelled" });
      expect(worker.output).toMatch(/Cancelled task \S+ by command/);
      await worker.kill("SIGKILL");
    });

    test("is refused with a token that is not its", async () => {
      const worker = startProgram(release(), "newest_worker.py", {
        ORCHESTRATOR_URL: server.url,
        WORKER_ID: "python-2",
        WORKER_TOKEN: "guessed",
      });
      await worker.printed(/Unauthorized \(401\)/);
      await worker.kill("SIGKILL");
    });

    test("has each step of its protocol answered as its own client expects", async () => {
      const job = await alice.create("one-task", { type: "step-by-step", value: "ü", priority: 2.5 });
      const client = startProgram(release(), "protocol_client.py", {
        ORCHESTRATOR_URL: server.url,
        WORKER_ID: "python-3",
        WORKER_TOKEN: server.workerToken,
        TYPE: "step-by-step",
      });
      await client.ended;
      const steps = client.output.split("\n").filter((line) => line.startsWith("{"));
      const said = steps.map((line) => z.object({ step: z.string(), answer: z.unknown() }).parse(JSON.parse(line)));
      const refused = (text: string): unknown => expect.stringContaining(text);
      expect(Object.fromEntries(said.map(({ step, answer }) => [step, answer])), client.output).toEqual({
        "heartbeat of an unknown worker": refused("Worker not found"),
        token: { expires_in: 3600, worker_id: "python-3", used: true },
        refreshed: { worker_id: "python-3" },
        register: { status: "registered", version: "1.0b17", warning: null },
        "register again with the same message": refused("replay protection"),
        heartbeat: { status: "ok" },
        "heartbeat with other skills": { status: "ok", require_full_sync: true },
        "heartbeat with all skills": { status: "ok" },
        "heartbeat with the skills it now knows": { status: "ok" },
        "heartbeat with a task that is not its": { status: "ok", cancel_task_ids: ["lost"] },
        "heartbeat without a signature": refused("Missing required security context"),
        "heartbeat that was changed": refused("Invalid cryptographic signature"),
        task: { is_payload: true, type: "step-by-step", params: { value: "ü" }, deadline: true, priority: 2.5 },
        event: true,
        result: true,
        "the same result": false,
        "result of an unknown job": false,
        "poll without a task": null,
      });
      await alice.expectJob(job, { status: "finished", state_history: { tiny: 1.5e-6, é: 2 } });
    });
  });
}
