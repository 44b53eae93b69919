import { describe, expect, test } from "vitest";
import { z } from "zod";
import { changeSettings } from "../../src/settings/settings.ts";
import { env } from "cloudflare:workers";
import { ALICE, BOB, call, unique } from "../support/workerd-api.ts";

const everyMinute = { blueprint: "internal", every_seconds: 60 };
const path = (id: string, more = "") => `/api/v1/schedules/${id}${more}`;

function send(method: string, to: string, json?: unknown, headers: Record<string, string> = ALICE) {
  return call(method, to, json === undefined ? { headers } : { headers, json });
}

/** Makes a schedule of alice's. @returns its id */
async function create(fields: object = everyMinute): Promise<string> {
  const id = unique();
  expect(await send("POST", "/api/v1/schedules", { id, ...fields })).toMatchObject({ status: 201 });
  return id;
}

describe("a schedule", () => {
  test("is made, shown and listed with its defaults and its next occurrences", async () => {
    const id = unique();
    const asked = { id, blueprint: "one_task", cron: "0 6 * * *", initial_data: { type: "report" } };
    const { status, body } = await send("POST", "/api/v1/schedules", asked);
    expect(status).toBe(201);
    expect(body).toMatchObject({
      ...asked,
      time_zone: "UTC",
      overlap: "skip",
      catch_up: "latest",
      grace_seconds: 60,
      jitter_seconds: 0,
      metadata: {},
      webhook_url: null,
      status: "active",
      paused_at: null,
      waiting: [],
      runs: [],
    });
    const { next_occurrences: next, created_at: createdAt } = z
      .object({ next_occurrences: z.array(z.iso.datetime()).length(5), created_at: z.iso.datetime() })
      .parse(body);
    expect(Date.parse(next[0] ?? "")).toBeGreaterThan(Date.parse(createdAt));
    expect(await send("GET", path(id))).toMatchObject({ status: 200, body });
    const listed = z.array(z.looseObject({ id: z.string() })).parse((await send("GET", "/api/v1/schedules")).body);
    expect(listed.find((each) => each.id === id)).toMatchObject({
      blueprint: "one_task",
      status: "active",
      next_occurrence: next[0],
      last_run: null,
    });
  });

  test("is the same one when the same request comes again, and no other request may take its id", async () => {
    const id = unique();
    const asked = { id, ...everyMinute, initial_data: { one: 1, two: 2 } };
    const made = await send("POST", "/api/v1/schedules", asked);
    const again = { ...asked, initial_data: { two: 2, one: 1 }, overlap: "skip" };
    expect(await send("POST", "/api/v1/schedules", again)).toMatchObject({ status: 200, body: made.body });
    const other = { ...asked, every_seconds: 61 };
    const refused = { status: 409, body: { code: "conflict" } };
    expect(await send("POST", "/api/v1/schedules", other)).toMatchObject(refused);
  });

  test("is replaced whole", async () => {
    const id = await create({ ...everyMinute, overlap: "queue" });
    const { status, body } = await send("PUT", path(id), { blueprint: "internal", cron: "@hourly" });
    expect(status).toBe(200);
    expect(body).toMatchObject({ id, every_seconds: null, cron: "@hourly", overlap: "skip" });
  });

  test("is paused, goes on, is run by hand and is deleted", async () => {
    const id = await create();
    expect(await send("POST", path(id, "/pause"))).toMatchObject({ status: 200, body: { status: "paused" } });
    expect(await send("POST", path(id, "/resume"))).toMatchObject({ status: 200, body: { status: "active" } });
    const key = { ...ALICE, "Idempotency-Key": unique() };
    const triggered = await send("POST", path(id, "/trigger"), undefined, key);
    expect(triggered).toMatchObject({ status: 202, body: { status: "accepted" } });
    expect(await send("POST", path(id, "/trigger"), undefined, key)).toMatchObject({ body: triggered.body });
    const { job_id: jobId } = z.object({ job_id: z.string() }).parse(triggered.body);
    expect(await send("GET", `/api/v1/jobs/${jobId}`)).toMatchObject({ body: { blueprint_name: "internal" } });
    expect(await send("DELETE", path(id))).toMatchObject({ status: 204, body: null });
    expect(await send("DELETE", path(id))).toMatchObject({ status: 404 });
  });

  test("is nothing to other clients", async () => {
    const id = await create();
    const gone = { status: 404, body: { code: "not_found", error: "Schedule not found" } };
    expect(await send("GET", path(id), undefined, BOB)).toMatchObject(gone);
    expect(await send("PUT", path(id), everyMinute, BOB)).toMatchObject(gone);
    expect(await send("DELETE", path(id), undefined, BOB)).toMatchObject(gone);
    for (const verb of ["/pause", "/resume", "/trigger"]) {
      expect(await send("POST", path(id, verb), undefined, BOB)).toMatchObject(gone);
    }
    expect(await send("GET", path("not.an.id"))).toMatchObject(gone);
    expect((await send("GET", "/api/v1/schedules", undefined, BOB)).body).toEqual([]);
    expect(await send("GET", path(id))).toMatchObject({ status: 200 });
  });

  test("needs a token", async () => {
    expect(await call("GET", "/api/v1/schedules")).toMatchObject({ status: 401 });
  });
});

describe("what cannot be scheduled is refused", () => {
  test.for<[what: string, fields: object, details: object[] | undefined]>([
    ["no time", { every_seconds: null }, [{ path: "" }]],
    ["two times", { cron: "@daily" }, [{ path: "every_seconds" }]],
    ["an unknown zone", { every_seconds: null, cron: "@daily", time_zone: "Nowhere" }, [{ path: "time_zone" }]],
    ["an unknown blueprint", { blueprint: "gone" }, [{ path: "blueprint" }]],
    ["wrong input", { blueprint: "one_task", initial_data: { priority: "high" } }, [{ path: "initial_data.priority" }]],
    ["a webhook that cannot be posted to", { webhook_url: "ftp://example.com/hook" }, [{ path: "webhook_url" }]],
    ["a moment that has passed", { every_seconds: null, at: "2020-01-01T00:00:00Z" }, undefined],
    ["a pattern without a date", { every_seconds: null, cron: "0 0 30 2 *" }, undefined],
  ])("%s", async ([, fields, details]) => {
    const refused = { status: 400, body: { code: "bad_request", ...(details === undefined ? {} : { details }) } };
    expect(await send("POST", "/api/v1/schedules", { id: unique(), ...everyMinute, ...fields })).toMatchObject(refused);
    const id = await create();
    expect(await send("PUT", path(id), { ...everyMinute, ...fields })).toMatchObject(refused);
  });

  test("a schedule under another id than that of its path", async () => {
    const id = await create();
    const refused = { status: 400, body: { details: [{ path: "id" }] } };
    expect(await send("PUT", path(id), { ...everyMinute, id: "other" })).toMatchObject(refused);
  });

  test("a run by hand while the deployment takes no jobs", async () => {
    const id = await create();
    await changeSettings(env, { maintenance: true });
    try {
      const refused = { status: 503, body: { code: "maintenance" } };
      expect(await send("POST", path(id, "/trigger"))).toMatchObject(refused);
    } finally {
      await changeSettings(env, { maintenance: false });
    }
  });

  test("a run by hand beyond the client's quota", async () => {
    const id = unique();
    await send("POST", "/api/v1/schedules", { id, ...everyMinute }, BOB);
    const trigger = () => send("POST", path(id, "/trigger"), undefined, BOB);
    expect(await trigger()).toMatchObject({ status: 202 });
    expect(await trigger()).toMatchObject({ status: 202 });
    const { status, headers, body } = await trigger();
    expect({ status, body }).toMatchObject({ status: 429, body: { code: "quota_exceeded" } });
    expect(Number(headers.get("Retry-After"))).toBeGreaterThan(0);
  });
});
