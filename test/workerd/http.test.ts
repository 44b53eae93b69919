import { afterEach, describe, expect, test } from "vitest";
import { changeSettings } from "../../src/settings/settings.ts";
import { env } from "cloudflare:workers";
import { ADMIN, ALICE, BOB, call, createJob, expectJob, unique, viewJob } from "../support/workerd-api.ts";
import { jobAlarm, pass, WAYS } from "../support/workerd-clock.ts";
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
      ["GET", "/_public/jobs/quarantined"],
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

  test.each([
    ["start_at", "tomorrow"],
    ["start_at", new Date(Date.now() + 367 * 86_400_000).toISOString()],
    ["metadata", "label"],
    ["dispatch_timeout", 0],
    ["result_timeout", "60"],
  ])("that holds it as initial_data is answered 400 when its %s is %j", async (member, value) => {
    const json = { initial_data: { type: "none" }, [member]: value };
    const answer = await call("POST", ONE_TASK, { headers: ALICE, json });
    expect(answer).toMatchObject(problem(400, "bad_request", faultAt(member)));
  });

  test("that names a webhook no message can go to is answered 400", async () => {
    const json = { initial_data: { type: "none" }, webhook_url: "not an address" };
    expect(await call("POST", ONE_TASK, { headers: ALICE, json })).toMatchObject(problem(400, "bad_request"));
  });

  test("with more metadata than a few labels is answered 413", async () => {
    const json = { initial_data: { type: "none" }, metadata: { text: "x".repeat(9_000) } };
    expect(await call("POST", ONE_TASK, { headers: ALICE, json })).toMatchObject(problem(413, "body_too_large"));
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
    ["DELETE", "/api/v1/jobs/some-job", "PATCH, GET"],
    ["PUT", "/api/v1/workers", "GET"],
    ["PUT", ONE_TASK, "POST, PATCH, GET"],
    ["GET", "/api/v1/batch", "POST"],
    ["GET", "/api/v1/quarantine/retry", "POST"],
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

describe.each(WAYS)("an envelope, %s,", (_, between) => {
  const create = async (json: object, headers: Record<string, string> = {}) => {
    const answer = await call("POST", ONE_TASK, { headers: { ...ALICE, ...headers }, json });
    expect(answer.status).toBe(202);
    return (answer.body as { job_id: string }).job_id;
  };

  test("may hold the job back until its time", async () => {
    const type = unique();
    const start_at = new Date(Date.now() + 3_600_000).toISOString();
    const id = await create({ initial_data: { type }, start_at });
    await between();
    await jobAlarm(id, 3_500_000);
    expect(await viewJob(id)).toMatchObject({ status: "pending", state_history: {} });
    await between();
    expect(await jobAlarm(id, 101_000)).toBe(true);
    await expectJob(id, { status: "waiting_for_worker" });
  });

  test("whose time has passed starts its job at once", async () => {
    const id = await create({ initial_data: { type: unique() }, start_at: "2020-02-29T00:00:00+02:00" });
    await between();
    await expectJob(id, { status: "waiting_for_worker" });
  });

  test.each(["dispatch_timeout", "result_timeout"])("limits the job's tasks by %s", async (member) => {
    const id = await create({ initial_data: { type: unique() }, [member]: 10 });
    await between();
    await jobAlarm(id, 9_000);
    await expectJob(id, { status: "waiting_for_worker" });
    await between();
    await jobAlarm(id, 2_000);
    await expectJob(id, { status: "failed" });
  });

  test("gives the job metadata", async () => {
    const id = await create({ initial_data: { type: unique() }, metadata: { order: 7 }, security: { any: "thing" } });
    await between();
    expect(await viewJob(id)).toMatchObject({ metadata: { order: 7 } });
  });

  test("is the same request in any order of its keys, and as the bare input, but not with anything else in it", async () => {
    const key = { "Idempotency-Key": unique() };
    const envelope = { initial_data: { type: "keyed", value: { a: 1, b: [2] } }, metadata: { c: 1, d: 2 } };
    const id = await create(envelope, key);
    await between();
    const turned = { metadata: { d: 2, c: 1 }, initial_data: { value: { b: [2], a: 1 }, type: "keyed" } };
    expect(await create(turned, key)).toBe(id);
    for (const more of [
      { metadata: { c: 1, d: 3 } },
      { metadata: null },
      { start_at: "2020-01-01T00:00:00Z" },
      { dispatch_timeout: 1 },
      { result_timeout: 1 },
      { webhook_url: null },
      { initial_data: { type: "keyed", value: { a: 1, b: [3] } } },
    ]) {
      const answer = await call("POST", ONE_TASK, { headers: { ...ALICE, ...key }, json: { ...envelope, ...more } });
      expect(answer).toMatchObject(problem(409, "conflict"));
    }
    const bare = { "Idempotency-Key": unique() };
    expect(await create(envelope.initial_data, bare)).toBe(await create({ initial_data: envelope.initial_data }, bare));
  });
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
  const open = {
    worker_id,
    supported_tasks: [type],
    reputation: 1,
    reputation_changed_at: null,
    drain: null,
    takes_nothing_because: null,
    live: true,
    connected: false,
    slots: null,
    held_tasks: 0,
    shard: "shard-0",
  };
  expect(await seenBy(ALICE)).toEqual(open);
  // Why a reputation is what it is names tasks of other clients.
  const whole = { ...open, reputation_reason: null, hostname: "host-7", ip_address: "192.0.2.7" };
  expect(await seenBy(ADMIN)).toEqual(whole);
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
