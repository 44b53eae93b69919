import { afterEach, describe, expect, test } from "vitest";
import { changeSettings } from "../../src/settings/settings.ts";
import { env } from "cloudflare:workers";
import { ADMIN, ALICE, BOB, call, createJob, unique, viewJob } from "../support/workerd-api.ts";
import { pass, WAYS } from "../support/workerd-clock.ts";
import { register } from "../support/workerd-worker.ts";

const ONE_TASK = "/api/v1/jobs/one-task";
const LIMIT = 1024 * 1024;

function problem(status: number, code: string, more: object = {}) {
  return { status, body: { error: expect.any(String), code, ...more } };
}

/** The problem's fault with one field. */
function faultAt(path: string) {
  return { details: expect.arrayContaining([expect.objectContaining({ path })]) };
}

describe("a client is known by its token", () => {
  test.each([
    ["none", {}, "Missing X-Avtomatika-Token header"],
    ["an empty one", { "X-Avtomatika-Token": "" }, "Missing X-Avtomatika-Token header"],
    ["a wrong one", { "X-Avtomatika-Token": "guessed" }, "Unauthorized: Invalid token"],
    ["a worker's", { "X-Avtomatika-Token": "worker-token" }, "Unauthorized: Invalid token"],
  ])("%s opens nothing", async (_, headers, error) => {
    for (const [method, path] of [
      ["POST", ONE_TASK],
      ["GET", "/api/v1/jobs"],
      ["GET", "/api/v1/workers"],
      ["GET", "/api/nothing"],
    ] as const) {
      expect(await call(method, path, { headers })).toMatchObject(problem(401, "unauthorized", { error }));
    }
  });

  test("in either header, and without one the public status only", async () => {
    expect(await call("GET", "/api/v1/jobs", { headers: { "X-Client-Token": "alice-token" } })).toMatchObject({
      status: 200,
    });
    expect(await call("GET", "/_public/status")).toMatchObject({ status: 200, body: { status: "ok" } });
  });
});

describe("a body", () => {
  test.each([
    ["that is not JSON", '{"type": }', "Unexpected token"],
    ["that stops in the middle", '{"type": "a"', "Expected"],
    ["that is empty", "", "The body is empty."],
    ["that is not UTF-8", new Uint8Array([0x22, 0xff, 0x22]), "The body cannot be read as UTF-8 text."],
  ])("%s is answered 400 with the fault", async (_, text, fault) => {
    const answer = await call("POST", ONE_TASK, { headers: ALICE, text });
    expect(answer).toMatchObject(problem(400, "bad_json", { details: expect.stringContaining(fault) }));
  });

  test("that does not fit the blueprint's input is answered 400 with the field", async () => {
    const answer = await call("POST", ONE_TASK, { headers: ALICE, json: { seconds: "ten" } });
    expect(answer).toMatchObject(problem(400, "bad_request", faultAt("seconds")));
    expect(answer.body).toMatchObject({ error: expect.stringContaining("one_task") });
    expect(await call("POST", ONE_TASK, { headers: ALICE, json: [1] })).toMatchObject(problem(400, "bad_request"));
  });

  test("may be the input itself or hold it as initial_data", async () => {
    for (const json of [{ type: "either" }, { initial_data: { type: "either" } }]) {
      const { status, body } = await call("POST", ONE_TASK, { headers: ALICE, json });
      expect(status).toBe(202);
      const { job_id } = body as { job_id: string };
      expect(await viewJob(job_id)).toMatchObject({ initial_data: { type: "either", priority: 0 } });
    }
  });

  test("over the limit is answered 413, whether its length is told or not", async () => {
    const large = new Uint8Array(LIMIT + 1).fill(0x20);
    expect(await call("POST", ONE_TASK, { headers: ALICE, text: large })).toMatchObject(problem(413, "body_too_large"));
    let chunks = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        chunks += 1;
        controller.enqueue(new Uint8Array(64 * 1024).fill(0x20));
      },
    });
    expect(await call("POST", ONE_TASK, { headers: ALICE, text: endless })).toMatchObject(
      problem(413, "body_too_large"),
    );
    expect(chunks).toBeLessThan(40);
  });

  test("whose input a job could not hold is answered 413 too", async () => {
    const json = { value: "x".repeat(300 * 1024) };
    expect(await call("POST", ONE_TASK, { headers: ALICE, json })).toMatchObject(problem(413, "body_too_large"));
  });
});

describe("what is not there", () => {
  test.each(["/api/v1/jobs/none", "/api/v1/jobs/none/history", "/api/v1/jobs/%00", `/api/v1/jobs/${"x".repeat(129)}`])(
    "%s is an unknown job",
    async (path) => {
      expect(await call("GET", path, { headers: ALICE })).toMatchObject(problem(404, "job_not_found"));
    },
  );

  test.each(["/", "/api/v1", "/api/v2/jobs", "/api/v1/jobs/a/b/c", "/_worker/nothing", "/_public"])(
    "%s is 404",
    async (path) => {
      expect(await call("GET", path, { headers: ALICE })).toMatchObject(problem(404, "not_found"));
    },
  );

  test.each([
    ["DELETE", "/api/v1/jobs/some-job", "GET"],
    ["PUT", "/api/v1/workers", "GET"],
    ["PATCH", ONE_TASK, "POST, GET"],
    ["GET", "/api/v1/admin/reload-workers", "POST"],
    ["POST", "/_public/status", "GET"],
    ["GET", "/_worker/tasks/result", "POST"],
  ])("%s %s is 405, and Allow says what is possible", async (method, path, allow) => {
    const answer = await call(method, path, { headers: ALICE });
    expect(answer).toMatchObject(problem(405, "method_not_allowed"));
    expect(answer.headers.get("Allow")).toBe(allow);
  });
});

describe.each(WAYS)("a quota, %s,", (_, between) => {
  test("refuses what is over it until its period ends", async () => {
    pass(24 * 3_600_000);
    const create = () => call("POST", ONE_TASK, { headers: BOB, json: { type: "quota" } });
    expect(await create()).toMatchObject({ status: 202 });
    await between();
    expect(await create()).toMatchObject({ status: 202 });
    await between();
    const refused = await create();
    expect(refused).toMatchObject(problem(429, "quota_exceeded"));
    const wait = Number(refused.headers.get("Retry-After"));
    expect(wait).toBeGreaterThan(0);
    expect(wait).toBeLessThanOrEqual(24 * 3_600);
    expect(await call("GET", "/api/v1/jobs", { headers: BOB })).toMatchObject({ status: 200 });
    expect(await call("POST", ONE_TASK, { headers: ALICE, json: {} })).toMatchObject({ status: 202 });
    pass(wait * 1_000);
    expect(await create()).toMatchObject({ status: 202 });
  });
});

test("a repeated request with an Idempotency-Key costs no quota, so a client can always learn which job it made", async () => {
  pass(24 * 3_600_000);
  const headers = { ...BOB, "Idempotency-Key": unique() };
  const create = (value: number) => call("POST", ONE_TASK, { headers, json: { type: "quota", value } });
  const first = await create(1);
  expect(first).toMatchObject({ status: 202 });
  for (let repeats = 0; repeats < 3; repeats += 1)
    expect(await create(1)).toMatchObject({ status: 202, body: first.body });
  expect(await create(2)).toMatchObject(problem(409, "conflict"));
  expect(await call("POST", ONE_TASK, { headers: BOB, json: {} })).toMatchObject({ status: 202 });
});

describe("an admin", () => {
  afterEach(async () => {
    await changeSettings(env, { maintenance: false, drain: false });
  });

  test.each(["maintenance", "drain"])("stops new jobs by %s; what is there goes on", async (setting) => {
    const id = await createJob("one-task", { type: unique() });
    const on = await call("PATCH", "/api/v1/admin/settings", { headers: ADMIN, json: { [setting]: true } });
    expect(on).toMatchObject({ status: 200, body: { [setting]: true, banner: null } });
    const refused = await call("POST", ONE_TASK, { headers: ALICE, json: {} });
    expect(refused).toMatchObject(problem(503, "maintenance"));
    expect(refused.headers.get("Retry-After")).toBe("60");
    expect(await viewJob(id)).toMatchObject({ status: "waiting_for_worker" });
  });

  test("is told what is wrong with a setting", async () => {
    const set = (json: object) => call("PATCH", "/api/v1/admin/settings", { headers: ADMIN, json });
    expect(await set({ drain: "yes" })).toMatchObject(problem(400, "bad_request", faultAt("drain")));
    expect(await set({ sleep: true })).toMatchObject(problem(400, "bad_request"));
  });

  test("reloads the configuration", async () => {
    expect(await call("POST", "/api/v1/admin/reload-workers", { headers: ADMIN })).toMatchObject({
      status: 200,
      body: { status: "worker_configs_reloaded" },
    });
  });

  test.each([
    ["GET", "/api/v1/admin/settings"],
    ["PATCH", "/api/v1/admin/settings"],
    ["POST", "/api/v1/admin/reload-workers"],
  ])("is not any client: %s %s is 403", async (method, path) => {
    const json = method === "GET" ? {} : { json: { drain: true } };
    expect(await call(method, path, { headers: ALICE, ...json })).toMatchObject(problem(403, "forbidden"));
  });
});

test("workers are listed to every client, where they run to admins only", async () => {
  const [worker_id, type] = [unique(), unique()];
  await register(worker_id, { supported_tasks: [type], hostname: "host-7", ip_address: "192.0.2.7" });
  const seenBy = async (headers: Record<string, string>) => {
    const { body } = await call("GET", "/api/v1/workers", { headers });
    return (body as { worker_id: string }[]).find((worker) => worker.worker_id === worker_id);
  };
  const open = { worker_id, supported_tasks: [type], reputation: 1, connected: false, held_tasks: 0 };
  expect(await seenBy(ALICE)).toEqual(open);
  expect(await seenBy(ADMIN)).toEqual({ ...open, hostname: "host-7", ip_address: "192.0.2.7" });
});

test.each([
  ["limit=0", "limit"],
  ["limit=1001", "limit"],
  ["limit=ten", "limit"],
  ["offset=-1", "offset"],
])("a list with %s is answered 400 with the field", async (query, field) => {
  const answer = await call("GET", `/api/v1/jobs?${query}`, { headers: ALICE });
  expect(answer).toMatchObject(problem(400, "bad_request", faultAt(field)));
});

test("a worker's signature and the addresses deeper in what it says are not shown", async () => {
  const worker_id = unique();
  const capabilities = { hostname: "host-7", ip_address: "192.0.2.7", extra: { zone: "a" } };
  await register(worker_id, { available_skills: ["say"], capabilities, security: { signature: "secret" } });
  for (const headers of [ALICE, ADMIN]) {
    const { body } = await call("GET", "/api/v1/workers", { headers });
    const shown = JSON.stringify(body);
    expect(shown).toContain(worker_id);
    expect(shown).not.toContain("secret");
    expect(shown.includes("host-7")).toBe(headers === ADMIN);
  }
});
