import { beforeAll, describe, expect, test } from "vitest";
import { type Answer, type ApiClient, type RequestBody, call } from "../support/api-client.ts";
import { BatutaServer } from "../support/batuta-server.ts";

const MIB = 1024 * 1024;

let server: BatutaServer;
let alice: ApiClient;
beforeAll(async () => {
  server = await BatutaServer.start({ clients: ["alice"] });
  alice = server.client("alice");
});

/** A request without a credential, unless it brings one. */
function bare(method: string, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return call(server.url + path, method, { headers });
}

describe("a client", () => {
  const WANTED = [
    ["POST", "/api/v1/jobs/one-task"],
    ["GET", "/api/v1/jobs"],
    ["GET", "/api/v1/jobs/some-job"],
    ["GET", "/api/v1/workers"],
  ] as const;

  test.each(WANTED)("without a token is answered 401: %s %s", async (method, path) => {
    const body = { error: "Missing X-Avtomatika-Token header", code: "unauthorized" };
    expect(await bare(method, path)).toMatchObject({ status: 401, body });
  });

  test.each(WANTED)("with a wrong token is answered 401: %s %s", async (method, path) => {
    const body = { error: "Unauthorized: Invalid token", code: "unauthorized" };
    expect(await bare(method, path, { "X-Avtomatika-Token": "alice-tokem" })).toMatchObject({ status: 401, body });
  });

  test("with a worker's token is answered 401", async () => {
    expect(await bare("GET", "/api/v1/jobs", { "X-Avtomatika-Token": server.workerToken })).toMatchObject({
      status: 401,
    });
  });

  test("may call its token X-Client-Token", async () => {
    expect(await bare("GET", "/api/v1/jobs", { "X-Client-Token": "alice-token" })).toMatchObject({ status: 200 });
  });
});

describe("a worker", () => {
  const paths = [
    ["POST", "/_worker/workers/register"],
    ["PATCH", "/_worker/workers/w-1"],
    ["GET", "/_worker/workers/w-1/tasks/next?timeout=0"],
    ["POST", "/_worker/tasks/result"],
    ["GET", "/_worker/ws/w-1"],
  ] as const;

  test.each(paths)("without a token is answered 401: %s %s", async (method, path) => {
    expect(await bare(method, path)).toMatchObject({ status: 401, body: { code: "unauthorized" } });
  });

  test.each(paths)("with a wrong token is answered 401: %s %s", async (method, path) => {
    const headers = { "X-Worker-Token": "wrong" };
    const answer = await call(server.url + path, method, {
      headers,
      ...(method === "POST" && { json: { worker_id: "w-1" } }),
    });
    expect(answer).toMatchObject({ status: 401, body: { code: "unauthorized" } });
  });

  test("that asks for a socket without an upgrade is answered 426", async () => {
    const answer = await bare("GET", "/_worker/ws/w-1", { "X-Worker-Token": server.workerToken });
    expect(answer).toMatchObject({ status: 426, body: { code: "upgrade_required" } });
  });
});

describe("a body", () => {
  const create = (text: RequestBody) => alice.call("POST", "/jobs/one-task", { text });

  test.each([
    ["that is not JSON", '{"value": 1,}', /JSON|position/],
    ["that is cut off", '{"value": "Ada', /JSON|string/],
    ["that is empty", "", /The body is empty\./],
    ["that is not text", new Uint8Array([0xff, 0xfe, 0x00]), /UTF-8/],
  ])("%s is answered 400 and told what is wrong", async (_name, text, fault) => {
    const details = expect.stringMatching(fault);
    expect(await create(text)).toMatchObject({
      status: 400,
      body: { error: "Invalid JSON body", code: "bad_json", details },
    });
  });

  test("that does not fit the blueprint is answered 400 with the path of the field", async () => {
    const answer = await alice.call("POST", "/jobs/fan-out", { json: { count: "three" } });
    expect(answer).toMatchObject({ status: 400, body: { code: "bad_request", details: [{ path: "count" }] } });
  });

  test("that says it is too large is answered 413", async () => {
    expect(await create(JSON.stringify({ value: "x".repeat(2 * MIB) }))).toMatchObject({
      status: 413,
      body: { code: "body_too_large" },
    });
  });

  test("that turns out to be too large is answered 413, before it ends", async () => {
    const endless = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new Uint8Array(MIB + 1).fill(0x20)),
    });
    expect(await create(endless)).toMatchObject({ status: 413, body: { code: "body_too_large" } });
  });

  test("may wrap the input in initial_data", async () => {
    const id = await alice.create("one-task", { initial_data: { value: 7 } });
    expect(await alice.view(id)).toMatchObject({ initial_data: { value: 7 } });
  });
});

describe("a path", () => {
  test("that does not exist is answered 404", async () => {
    expect(await bare("GET", "/nowhere")).toMatchObject({
      status: 404,
      body: { code: "not_found", error: expect.stringContaining("/nowhere") },
    });
    expect(await alice.call("GET", "/nowhere")).toMatchObject({ status: 404, body: { code: "not_found" } });
  });

  test("of a version that no blueprint has is answered 404", async () => {
    const headers = { "X-Avtomatika-Token": "alice-token" };
    expect(await bare("GET", "/api/v9/jobs", headers)).toMatchObject({ status: 404, body: { code: "not_found" } });
  });

  test("of an unknown job is answered 404", async () => {
    for (const path of [
      `/jobs/${crypto.randomUUID()}`,
      `/jobs/${crypto.randomUUID()}/history`,
      "/jobs/not%20an%20id",
    ]) {
      expect(await alice.call("GET", path)).toMatchObject({
        status: 404,
        body: { error: "Job not found", code: "job_not_found" },
      });
    }
  });

  test("is answered 404 for a create route that no blueprint has, though a job could be read there", async () => {
    const { status, body } = await bare("POST", "/api/v1/jobs/mistyped", { "X-Avtomatika-Token": "alice-token" });
    expect({ status, body }).toMatchObject({
      status: 404,
      body: { error: "No blueprint has the route POST /api/v1/jobs/mistyped.", code: "not_found" },
    });
  });

  test.each([
    ["PUT", "/api/v1/jobs/some-job", "GET"],
    ["DELETE", "/api/v1/jobs", "GET"],
    ["GET", "/_worker/tasks/result", "POST"],
    ["POST", "/_public/status", "GET"],
  ])("is answered 405 for %s %s, and told that %s is possible", async (method, path, allowed) => {
    const { status, headers, body } = await bare(method, path, { "X-Avtomatika-Token": "alice-token" });
    expect({ status, body }).toMatchObject({ status: 405, body: { code: "method_not_allowed" } });
    expect(headers.get("Allow")?.split(", ")).toContain(allowed);
  });

  test.each(["/_public/status", "/api/v1/jobs", "/api/v1/workers"])(
    "that answers GET answers HEAD without a body: %s",
    async (path) => {
      const answer = await bare("HEAD", path, { "X-Avtomatika-Token": "alice-token" });
      expect(answer).toMatchObject({ status: 200, body: null });
      expect(answer.headers.get("Content-Type")).toContain("application/json");
    },
  );
});

describe("a job that is created", () => {
  test("is answered 202 with its id and nothing else", async () => {
    const { status, body } = await alice.call("POST", "/jobs/one-task", { json: {} });
    expect({ status, body }).toEqual({
      status: 202,
      body: { status: "accepted", job_id: expect.stringMatching(/^[0-9a-f-]{36}$/) },
    });
  });

  test("twice with the same Idempotency-Key is one job", async () => {
    const key = crypto.randomUUID();
    const id = await alice.create("one-task", { value: 1 }, key);
    expect(await alice.create("one-task", { value: 1 }, key)).toBe(id);
    expect(await alice.create("one-task", { value: 1 }, `${key}-other`)).not.toBe(id);
  });

  test("with the Idempotency-Key of another request is answered 409", async () => {
    const headers = { "Idempotency-Key": crypto.randomUUID() };
    await alice.call("POST", "/jobs/one-task", { headers, json: { value: 1 } });
    expect(await alice.call("POST", "/jobs/one-task", { headers, json: { value: 2 } })).toMatchObject({
      status: 409,
      body: { code: "conflict" },
    });
  });

  test("never shows its client's token", async () => {
    const id = await alice.create("one-task", {});
    expect(JSON.stringify(await alice.view(id))).not.toContain("alice-token");
  });
});
