import { exports } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { ALICE, call, createJob, expectJob, request, unique, WORKER } from "../support/workerd-api.ts";
import { pass, shardAlarm, WAYS } from "../support/workerd-clock.ts";
import { openSocket, poll, polledTask, register, resultOf, socketWorker } from "../support/workerd-worker.ts";

const TTL_MS = 120_000;
const problem = (status: number, code: string, more: object = {}) => ({
  status,
  body: { error: expect.any(String), code, ...more },
});
const faultAt = (path: string) => ({ details: expect.arrayContaining([expect.objectContaining({ path })]) });

const base64url = (text: string) => btoa(text).replaceAll("=", "");

describe("a worker is known by its token", () => {
  const routes: readonly (readonly [method: string, path: (id: string) => string, body: (id: string) => object])[] = [
    ["POST", () => "/_worker/workers/register", (worker_id) => ({ worker_id })],
    ["PATCH", (id) => `/_worker/workers/${id}`, () => ({})],
    ["GET", (id) => `/_worker/workers/${id}/tasks/next?timeout=0`, () => ({})],
    ["POST", () => "/_worker/tasks/result", (worker_id) => ({ worker_id, job_id: "j", task_id: "t" })],
    ["POST", () => "/_worker/tasks/progress", (worker_id) => ({ worker_id, job_id: "j", task_id: "t", progress: 0 })],
    ["GET", (id) => `/_worker/ws/${id}`, () => ({})],
  ];
  const send = async (workerId: string, headers: Record<string, string>) => {
    const answers = routes.map(([method, path, body]) =>
      call(method, path(workerId), { headers, ...(method === "GET" ? {} : { json: body(workerId) }) }),
    );
    return Promise.all(answers);
  };

  test.each([
    ["none", {}, "Missing X-Worker-Token header"],
    ["a wrong one", { "X-Worker-Token": "guessed" }, "Unauthorized: No valid token found"],
    ["a client's", { "X-Worker-Token": "alice-token" }, "Unauthorized: No valid token found"],
    ["another worker's", { "X-Worker-Token": "individual-token" }, "Unauthorized: No valid token found"],
  ])("%s opens nothing", async (_, headers, error) => {
    for (const answer of await send(unique(), headers))
      expect(answer).toMatchObject(problem(401, "unauthorized", { error }));
  });

  test("the global token opens everything, but not to a worker with a token of its own", async () => {
    const statuses = async (workerId: string, headers: Record<string, string>) =>
      (await send(workerId, headers)).map(({ status }) => status);
    expect(await statuses(unique(), WORKER)).toEqual([200, expect.toBeOneOf([200, 404]), 204, 404, 200, 426]);
    expect(await statuses("own-token", WORKER)).toEqual([401, 401, 401, 401, 401, 401]);
    const own = { Authorization: "Bearer individual-token" };
    expect(await statuses("own-token", own)).toEqual([200, expect.toBeOneOf([200, 404]), 204, 404, 200, 426]);
  });

  test("over a socket's subprotocols, for those who can set no header", async () => {
    const offered = `batuta.v1, token.${base64url("worker-token")}`;
    const headers = { Upgrade: "websocket", "Sec-WebSocket-Protocol": offered };
    const response = await exports.default.fetch(request("GET", `/_worker/ws/${unique()}`, { headers }));
    expect(response.status).toBe(101);
    expect(response.headers.get("Sec-WebSocket-Protocol")).toBe("batuta.v1");
    response.webSocket?.accept();
    response.webSocket?.close();
    const wrong = { Upgrade: "websocket", "Sec-WebSocket-Protocol": `batuta.v1, token.${base64url("guessed")}` };
    await expect(openSocket(unique(), wrong)).rejects.toThrow();
  });
});

describe("what a worker sends", () => {
  const send = (path: string, sent: object) => call("POST", `/_worker/${path}`, { headers: WORKER, ...sent });

  test.each(["workers/register", "tasks/result", "tasks/progress"])(
    "to %s is answered 400 when it is not JSON",
    async (path) => {
      expect(await send(path, { text: "{" })).toMatchObject(problem(400, "bad_json", { details: expect.any(String) }));
      expect(await send(path, { text: "7" })).toMatchObject(problem(400, "bad_json"));
    },
  );

  test.each([
    ["workers/register", {}, /Missing required field: worker_id/],
    ["workers/register", { worker_id: "" }, /worker_id must not be empty/],
    ["workers/register", { worker_id: "no spaces" }, /1 to 128 letters/],
    ["workers/register", { worker_id: "w".repeat(129) }, /1 to 128 letters/],
  ])("to %s needs a worker id: %j", async (path, json, error) => {
    expect(await send(path, { json })).toMatchObject(
      problem(400, "bad_request", { error: expect.stringMatching(error) }),
    );
  });

  test.each([
    ["workers/register", { supported_tasks: "echo" }, "supported_tasks"],
    ["workers/register", { max_concurrent_tasks: 0 }, "max_concurrent_tasks"],
    ["workers/register", { cost_per_second: -0.1 }, "cost_per_second"],
    ["workers/register", { cost_per_skill: { paint: -1 } }, "cost_per_skill.paint"],
    ["workers/register", { capabilities: { cost_per_skill: { paint: -1 } } }, "capabilities.cost_per_skill.paint"],
    ["tasks/result", { task_id: "t" }, "job_id"],
    ["tasks/result", { task_id: "t", job_id: "j", attempt: 0 }, "attempt"],
    ["tasks/progress", { task_id: "t", job_id: "j", progress: 1.5 }, "progress"],
  ])("to %s is answered 400 with the field: %j", async (path, json, field) => {
    const answer = await send(path, { json: { worker_id: unique(), ...json } });
    expect(answer).toMatchObject(problem(400, "bad_request", faultAt(field)));
  });

  test("may tell how far a task is over HTTP too", async () => {
    const type = unique();
    const worker = await socketWorker([type]);
    const id = await createJob("one-task", { type });
    const { task_id } = await worker.task();
    const update = { worker_id: worker.workerId, job_id: id, task_id, progress: 0.25, message: "a quarter" };
    expect(await send("tasks/progress", { json: update })).toMatchObject({ body: { status: "progress_accepted" } });
    await expectJob(id, { progress: 0.25, progress_message: "a quarter" });
  });

  test("may leave out how a task ended: then it succeeded", async () => {
    const { id, workerId, task } = await polledTask();
    const { result: _result, ...told } = resultOf(task);
    expect(await send("tasks/result", { json: { worker_id: workerId, ...told } })).toMatchObject({ status: 200 });
    await expectJob(id, { status: "finished", result: {} });
  });
});

describe.each(WAYS)("a heartbeat, %s,", (_, between) => {
  const beat = (id: string, sent: object = {}) => call("PATCH", `/_worker/workers/${id}`, { headers: WORKER, ...sent });

  test("that is empty renews the worker, and only that", async () => {
    const id = unique();
    await register(id, { load: 0.5 });
    for (const sent of [{}, { text: "" }, { text: "not JSON" }, { json: {} }, { json: [] }]) {
      await between();
      pass(TTL_MS / 2 + 1);
      expect(await beat(id, sent)).toMatchObject({ status: 200, body: { status: "ttl_refreshed" } });
    }
  });

  test("merges what changed and answers with the worker", async () => {
    const [id, type] = [unique(), unique()];
    await register(id, { supported_tasks: [type], load: 0.5 });
    await between();
    expect(await beat(id, { json: { load: 0.7, hot_cache: ["model"] } })).toMatchObject({
      status: 200,
      body: { worker_id: id, supported_tasks: [type], load: 0.7, hot_cache: ["model"], reputation: 1 },
    });
    await between();
    expect((await beat(id, { json: { load: 0.9 } })).body).toMatchObject({ load: 0.9, hot_cache: ["model"] });
  });

  test("cannot change the worker's id or reputation, nor can a registration", async () => {
    const id = unique();
    await register(id, { reputation: 7 });
    expect(await beat(id, { json: { worker_id: unique(), reputation: 9, load: 0.1 } })).toMatchObject({
      body: { worker_id: id, reputation: 1 },
    });
    await between();
    await register(id, { reputation: 8 });
    expect((await beat(id, { json: { load: 0.1 } })).body).toMatchObject({ reputation: 1 });
  });

  test("that makes no sense is answered 400 with the field", async () => {
    const id = unique();
    await register(id);
    expect(await beat(id, { json: { load: "high" } })).toMatchObject(problem(400, "bad_request", faultAt("load")));
  });

  test("of an unknown worker, or one that was gone for a day, is answered 404: it has to register", async () => {
    const id = unique();
    expect(await beat(id)).toMatchObject(problem(404, "worker_not_found", { error: "Worker not found" }));
    await register(id);
    await between();
    pass(TTL_MS + 1);
    await shardAlarm();
    await between();
    pass(24 * 60 * 60_000);
    await shardAlarm();
    await between();
    expect(await beat(id)).toMatchObject(problem(404, "worker_not_found"));
    await register(id);
    expect(await beat(id)).toMatchObject({ status: 200 });
  });

  test("brings a worker back that was gone too long, with all that it said of itself", async () => {
    const [id, type] = [unique(), unique()];
    await register(id, { supported_tasks: [type], tags: ["kept"] });
    const listed = async () => JSON.stringify((await call("GET", "/api/v1/workers", { headers: ALICE })).body);
    await between();
    pass(TTL_MS + 1);
    await shardAlarm();
    expect(await listed()).not.toContain(id);
    await between();
    expect(await beat(id, { json: { load: 0, status: "idle", supported_tasks: [type], hot_cache: [] } })).toMatchObject(
      {
        status: 200,
        body: { worker_id: id, tags: ["kept"] },
      },
    );
    await between();
    expect(await listed()).toContain(id);
    const jobId = await createJob("one-task", { type });
    expect(await poll(id)).toMatchObject({ job_id: jobId });
  });

  test("that names a new task type brings what waits for it", async () => {
    const [id, type] = [unique(), unique()];
    await register(id);
    const jobId = await createJob("one-task", { type });
    const polled = poll(id);
    await between();
    await beat(id, { json: { supported_tasks: [type] } });
    expect(await polled).toMatchObject({ job_id: jobId });
  });
});
