import { createHmac } from "node:crypto";
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { app } from "../../src/app.ts";
import type { Env } from "../../src/env.ts";
import { call, createJob, request, unique, WORKER } from "../support/workerd-api.ts";
import { pass } from "../support/workerd-clock.ts";
import { poll, register } from "../support/workerd-worker.ts";

const HOUR = 3_600_000;
const tokens = z.object({
  access_token: z.string(),
  refresh_token: z.string(),
  expires_in: z.literal(3600),
  worker_id: z.string(),
});

/** Sends a request to the same deployment with other variables. */
async function callWith(variables: Partial<Env>, method: string, path: string, sent: Parameters<typeof request>[2]) {
  const context = createExecutionContext();
  const response = await app.fetch(request(method, path, sent), { ...env, ...variables }, context);
  const body: unknown = await response.json();
  await waitOnExecutionContext(context);
  return { status: response.status, body };
}

async function tokensOf(workerId: string, headers: Record<string, string> = WORKER) {
  const {
    status,
    body,
    headers: answered,
  } = await call("POST", "/_worker/auth/token", {
    headers: { ...headers, "X-Worker-ID": workerId },
  });
  expect(status).toBe(200);
  expect(answered.get("Cache-Control")).toBe("no-store");
  return tokens.parse(body);
}

describe("a short-lived token", () => {
  test("opens what the worker's own token opens, to that worker only", async () => {
    const [id, type] = [unique(), unique()];
    await register(id, { supported_tasks: [type] });
    const { access_token } = await tokensOf(id);
    const jobId = await createJob("one-task", { type });
    for (const headers of [{ "X-Worker-Token": access_token }, { Authorization: `Bearer ${access_token}` }]) {
      expect(await call("PATCH", `/_worker/workers/${id}`, { headers })).toMatchObject({ status: 200 });
      expect(await call("PATCH", `/_worker/workers/${unique()}`, { headers })).toMatchObject({ status: 403 });
    }
    const headers = { "X-Worker-Token": access_token };
    const task = z.object({ task_id: z.string() }).parse(await poll(id));
    const json = { job_id: jobId, task_id: task.task_id, worker_id: "somebody" };
    expect(await call("POST", "/_worker/tasks/result", { headers, json })).toMatchObject({
      status: 403,
      body: { error: `Forbidden: Authenticated worker '${id}' cannot submit results for another worker 'somebody'.` },
    });
    expect(await call("POST", "/_worker/tasks/result", { headers, json: { ...json, worker_id: id } })).toMatchObject({
      body: { status: "result_accepted_success" },
    });
  });

  test("ends after an hour, with a status that makes workers refresh it", async () => {
    const { access_token, refresh_token } = await tokensOf("own-token", { "X-Worker-Token": "individual-token" });
    pass(HOUR);
    const late = await call("PATCH", "/_worker/workers/own-token", { headers: { "X-Worker-Token": access_token } });
    expect(late).toMatchObject({ status: 401, body: { error: "Unauthorized: Access token expired" } });
    const refreshed = await call("POST", "/_worker/auth/token/refresh", {
      headers: { "X-Worker-Token": access_token, "X-Worker-ID": "own-token" },
      json: { refresh_token },
    });
    const headers = { "X-Worker-Token": tokens.parse(refreshed.body).access_token };
    await call("POST", "/_worker/workers/register", { headers, json: { worker_id: "own-token" } });
    expect(await call("PATCH", "/_worker/workers/own-token", { headers })).toMatchObject({ status: 200 });
    pass(24 * HOUR);
    expect(await call("POST", "/_worker/auth/token/refresh", { json: { refresh_token } })).toMatchObject({
      status: 403,
      body: { error: "Unauthorized: Invalid refresh token (not found)" },
    });
  });

  test("is given for a worker's own token only", async () => {
    const ask = (headers: Record<string, string>, more: object = {}) =>
      call("POST", "/_worker/auth/token", { headers, ...more });
    const { access_token } = await tokensOf("w");
    expect(await ask({})).toMatchObject({ status: 401, body: { error: "Missing X-Worker-Token header" } });
    expect(await ask({ "X-Worker-Token": "guessed", "X-Worker-ID": "w" })).toMatchObject({ status: 401 });
    expect(await ask({ ...WORKER, "X-Worker-ID": "own-token" })).toMatchObject({ status: 401 });
    expect(await ask({ "X-Worker-Token": access_token, "X-Worker-ID": "w" })).toMatchObject({ status: 403 });
    expect(await ask(WORKER)).toMatchObject({ status: 400, body: { error: expect.stringContaining("X-Worker-ID") } });
    expect(await ask({ ...WORKER, "X-Worker-ID": "no spaces" })).toMatchObject({ status: 400 });
    expect(await ask(WORKER, { json: { worker_id: "w" } })).toMatchObject({ body: { worker_id: "w" } });
    expect(await ask({ "X-Worker-Token": "individual-token" })).toMatchObject({ body: { worker_id: "own-token" } });
  });

  test("is refreshed with its refresh token only", async () => {
    const { access_token, refresh_token } = await tokensOf("w");
    const refresh = (json: object | undefined, headers: Record<string, string> = {}) =>
      call("POST", "/_worker/auth/token/refresh", { headers, ...(json === undefined ? {} : { json }) });
    for (const json of [undefined, {}, { refresh_token: "" }, [7]]) {
      expect(await refresh(json)).toMatchObject({ status: 400, body: { error: "Missing refresh_token in payload" } });
    }
    expect(await refresh({ refresh_token: access_token })).toMatchObject({
      status: 403,
      body: { error: "Unauthorized: Invalid refresh token (not found)" },
    });
    expect(await refresh({ refresh_token }, { "X-Worker-ID": "other" })).toMatchObject({
      status: 403,
      body: { error: "Unauthorized: Invalid refresh token (owner mismatch)" },
    });
    expect(await refresh({ refresh_token })).toMatchObject({ status: 200, body: { worker_id: "w" } });
  });

  test("is worth nothing once the worker's own token is another", async () => {
    const { access_token, refresh_token } = await tokensOf("w");
    const changed = { GLOBAL_WORKER_TOKEN: "another-token" };
    const headers = { "X-Worker-Token": access_token };
    expect(await callWith(changed, "PATCH", "/_worker/workers/w", { headers })).toMatchObject({ status: 401 });
    expect(await callWith(changed, "POST", "/_worker/auth/token/refresh", { json: { refresh_token } })).toMatchObject({
      status: 403,
    });
  });

  test("is not to be had without a secret to sign it with", async () => {
    const { SIGNING_SECRET: _secret, ...without } = env;
    const context = createExecutionContext();
    for (const [path, sent] of [
      ["token", { headers: { ...WORKER, "X-Worker-ID": "w" } }],
      ["token/refresh", { json: { refresh_token: "x" } }],
    ] as const) {
      const response = await app.fetch(request("POST", `/_worker/auth/${path}`, sent), without, context);
      expect(response.status).toBe(501);
      expect(await response.json()).toMatchObject({ error: expect.stringContaining("SIGNING_SECRET") });
    }
  });
});

describe("a deployment that takes signed messages only", () => {
  const required = { WORKER_SIGNATURES: "required" };
  const refusal = (error: string) => ({ status: 403, body: { error, code: "not_signed" } });
  const signed = (body: Record<string, unknown>, token = "worker-token") => {
    const stamped = { ...body, timestamp: Math.floor(Date.now() / 1000) };
    const members = Object.entries(stamped).toSorted(([one], [other]) => (one < other ? -1 : 1));
    const text = JSON.stringify(Object.fromEntries(members));
    const signature = createHmac("sha256", token).update(text).digest("hex");
    return { ...stamped, security: { signature, signer_id: body["worker_id"] } };
  };
  const send = (method: string, path: string, json: object, headers: Record<string, string> = WORKER) =>
    callWith(required, method, path, { headers, json });

  test.each([
    ["POST", "/_worker/workers/register", {}],
    ["PATCH", "/_worker/workers/signing", { status: "idle" }],
    ["POST", "/_worker/tasks/result", { job_id: "j", task_id: "t" }],
    ["POST", "/_worker/tasks/progress", { job_id: "j", task_id: "t", progress: 0 }],
    ["POST", "/_worker/tasks/log", { job_id: "j", task_id: "t", lines: [] }],
    ["POST", "/_worker/events", { event_type: "e", target_job_id: "j", target_task_id: "t" }],
  ])("looks at %s %s", async (method, path, more) => {
    const body = { worker_id: "signing", ...more };
    expect(await send(method, path, body)).toMatchObject(refusal("Missing required timestamp for replay protection"));
    expect(await send(method, path, { ...signed(body), more: 1 })).toMatchObject(
      refusal("Invalid cryptographic signature"),
    );
    expect(await send(method, path, signed(body, "another token"))).toMatchObject(
      refusal("Invalid cryptographic signature"),
    );
    expect(await send(method, path, signed(body))).toMatchObject({ status: 200 });
  });

  test("lets requests through that have no body to sign", async () => {
    await send("POST", "/_worker/workers/register", signed({ worker_id: "bare" }));
    const beat = await callWith(required, "PATCH", "/_worker/workers/bare", { headers: WORKER });
    expect(beat).toMatchObject({ status: 200, body: { status: "ttl_refreshed" } });
  });

  test("takes no registration and no heartbeat twice, but a result that is sent again", async () => {
    const worker_id = unique();
    const registration = signed({ worker_id });
    expect(await send("POST", "/_worker/workers/register", registration)).toMatchObject({ status: 200 });
    const again = refusal("Message was taken before (replay protection)");
    expect(await send("POST", "/_worker/workers/register", registration)).toMatchObject(again);
    const beat = signed({ worker_id, status: "idle" });
    expect(await send("PATCH", `/_worker/workers/${worker_id}`, beat)).toMatchObject({ status: 200 });
    expect(await send("PATCH", `/_worker/workers/${worker_id}`, beat)).toMatchObject({ status: 200 });
    pass(5_000);
    expect(await send("PATCH", `/_worker/workers/${worker_id}`, beat)).toMatchObject(again);
    const result = signed({ worker_id, job_id: unique(), task_id: "t" });
    for (const _ of [1, 2]) {
      expect(await send("POST", "/_worker/tasks/result", result)).toMatchObject({ body: { reason: "job_not_found" } });
    }
  });

  test("knows the signature of a short-lived token's owner", async () => {
    const { access_token } = await tokensOf("short");
    const headers = { "X-Worker-Token": access_token };
    const body = { worker_id: "short" };
    // With the token in use, or with the one it was started with, as it does where its client renewed the token by itself.
    for (const key of [access_token, "worker-token"]) {
      expect(await send("POST", "/_worker/workers/register", signed(body, key), headers)).toMatchObject({
        status: 200,
      });
    }
    const own = await tokensOf("own-token", { "X-Worker-Token": "individual-token" });
    const message = signed({ worker_id: "own-token" }, "worker-token");
    expect(
      await send("POST", "/_worker/workers/register", message, { "X-Worker-Token": own.access_token }),
    ).toMatchObject(refusal("Invalid cryptographic signature"));
  });

  test("knows what a worker with a token of its own signs with, also once its short-lived one was renewed", async () => {
    const ask = async (path: string, headers: Record<string, string>, json: object) =>
      tokens.parse((await callWith(required, "POST", path, { headers, json })).body);
    const first = await ask(
      "/_worker/auth/token",
      { "X-Worker-Token": "individual-token" },
      { worker_id: "own-token" },
    );
    const second = await ask("/_worker/auth/token/refresh", {}, { refresh_token: first.refresh_token });
    for (const { access_token: token } of [first, second]) {
      expect(token).not.toContain("individual-token");
      for (const key of ["individual-token", token]) {
        const body = signed({ worker_id: "own-token", installed_software: { nonce: unique() } }, key);
        expect(await send("POST", "/_worker/workers/register", body, { "X-Worker-Token": token })).toMatchObject({
          status: 200,
        });
      }
      const forged = signed({ worker_id: "own-token" }, "worker-token");
      expect(await send("POST", "/_worker/workers/register", forged, { "X-Worker-Token": token })).toMatchObject(
        refusal("Invalid cryptographic signature"),
      );
      const cut = token.replace(/\.[\w-]+(?=\.[\w-]+$)/, "");
      expect(await send("POST", "/_worker/workers/register", forged, { "X-Worker-Token": cut })).toMatchObject({
        status: 401,
      });
    }
  });
});
