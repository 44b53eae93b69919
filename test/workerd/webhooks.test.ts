import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import type { WebhookNotice } from "../../src/notices/messages.ts";
import { queueProducer } from "../../src/queue-producer.ts";
import { ALICE, BOB, call, eventually, unique } from "../support/workerd-api.ts";
import { pass, WAYS } from "../support/workerd-clock.ts";

/** Alice's in `wrangler.toml`. */
const SECRET = "whsec_dGhlIGtleSBvZiBhbGljZSdzIHdlYmhvb2tz";

const queue = () => env.LOCAL_QUEUES.getByName("notices");

/** A request as a receiver gets it. */
interface Received {
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

let received: Received[] = [];
/** The status the receiver answers with. */
let answer = 200;

beforeEach(() => {
  received = [];
  answer = 200;
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const sent = new Request(input, init);
    received.push({ url: sent.url, headers: Object.fromEntries(sent.headers), body: await sent.text() });
    return new Response(null, { status: answer });
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await runInDurableObject(queue(), async (_, state) => {
    state.storage.sql.exec("DELETE FROM messages");
    await state.storage.deleteAlarm();
  });
  await evictDurableObject(queue());
});

function notice(fields: Partial<WebhookNotice> = {}): WebhookNotice {
  const job_id = unique();
  return {
    v: 1,
    kind: "webhook",
    id: `${job_id}-7`,
    job_id,
    client: "alice",
    url: "https://example.com/hook?token=hunter2",
    body: { event: "job_finished", job_id, status: "finished", result: { text: "it's – 再" } },
    ...fields,
  };
}

const send = (body: object) => queueProducer(env, "notices").send([body]);

/** Lets time pass, then lets the queue deliver what is due by now, as its alarm would. */
async function later(seconds: number): Promise<void> {
  pass(seconds * 1_000);
  await runDurableObjectAlarm(queue());
}

/** The failed tries of each message that is still in the queue. */
const queued = () =>
  runInDurableObject(queue(), (_, { storage }) =>
    storage.sql
      .exec("SELECT attempts FROM messages")
      .toArray()
      .map((row) => row["attempts"]),
  );

const listed = z.array(z.looseObject({ id: z.string(), status: z.string() }));

/** The delivery log of a job, as its client sees it. */
async function logOf(jobId: string) {
  const { status, body } = await call("GET", `/api/v1/jobs/${jobId}/webhooks`, { headers: ALICE });
  expect(status).toBe(200);
  return listed.parse(body);
}

/** @throws what the receiver's library throws when the signature does not fit */
function verified({ body, headers }: Received): unknown {
  const now = vi.spyOn(Date, "now").mockReturnValue(Number(headers["webhook-timestamp"]) * 1000);
  try {
    return new Webhook(SECRET).verify(body, headers);
  } finally {
    now.mockRestore();
  }
}

describe.each(WAYS)("a webhook, %s,", (_, between) => {
  test("is posted once, signed, and stands in the delivery log without the secrets of its address", async () => {
    const sent = notice();
    await send(sent);
    await eventually(() => received).toHaveLength(1);
    await eventually(queued).toEqual([]);
    await between();
    await later(86_400);
    expect(received.map(verified)).toEqual([sent.body]);
    expect(received[0]).toMatchObject({
      url: sent.url,
      headers: { "content-type": "application/json", "webhook-id": sent.id },
    });
    await eventually(() => logOf(sent.job_id)).toEqual([
      {
        id: sent.id,
        job_id: sent.job_id,
        kind: "webhook",
        event: "job_finished",
        url: "https://example.com/hook",
        status: "delivered",
        attempts: 1,
        last_status_code: 200,
        last_error: null,
        created_at: expect.any(Number),
        updated_at: expect.any(Number),
        next_attempt_at: null,
      },
    ]);
  });

  test("that is not taken is posted again, under the same id and signed anew, until it is", async () => {
    const sent = notice();
    answer = 500;
    await send(sent);
    await eventually(() => logOf(sent.job_id)).toMatchObject([
      { status: "retrying", attempts: 1, last_status_code: 500, last_error: "The receiver answered 500." },
    ]);
    await eventually(queued).toEqual([1]);
    await between();
    await later(4);
    expect(received).toHaveLength(1);
    await later(1);
    expect(received).toHaveLength(2);
    await between();
    answer = 204;
    await later(30);
    expect(received.map(verified)).toEqual([sent.body, sent.body, sent.body]);
    expect(received.map(({ headers }) => headers["webhook-id"])).toEqual([sent.id, sent.id, sent.id]);
    expect(new Set(received.map(({ headers }) => headers["webhook-timestamp"])).size).toBe(3);
    expect(await logOf(sent.job_id)).toMatchObject([
      { status: "delivered", attempts: 3, last_status_code: 204, last_error: null, next_attempt_at: null },
    ]);
  });

  test("is given up after ten tries, which the log and the delivery log say", async () => {
    const errors = vi.spyOn(console, "error").mockImplementation(() => {});
    const sent = notice();
    answer = 503;
    await send(sent);
    await eventually(queued).toEqual([1]);
    for (const seconds of [5, 30, 120, 600, 1_800, 3_600, 10_800, 21_600, 43_200]) {
      await between();
      await later(seconds);
    }
    await later(86_400);
    expect(received).toHaveLength(10);
    expect(await logOf(sent.job_id)).toMatchObject([{ status: "failed", attempts: 10, next_attempt_at: null }]);
    const lines = errors.mock.calls.map(([line]) => String(line));
    expect(lines).toEqual([expect.stringContaining("notice.failed")]);
    expect(lines.join()).toContain(sent.job_id);
    expect(lines.join()).not.toMatch(/hunter2|whsec|dGhl/);
  });

  test("is not posted again to a receiver that wants no more", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const sent = notice();
    answer = 410;
    await send(sent);
    await eventually(() => logOf(sent.job_id)).toMatchObject([
      { status: "failed", attempts: 1, last_status_code: 410 },
    ]);
    await eventually(queued).toEqual([]);
    await between();
    await later(86_400);
    expect(received).toHaveLength(1);
  });
});

describe("the delivery log", () => {
  test("of a job is its client's only", async () => {
    const sent = notice();
    await send(sent);
    await eventually(() => logOf(sent.job_id)).toHaveLength(1);
    expect(await call("GET", `/api/v1/jobs/${sent.job_id}/webhooks`, { headers: BOB })).toMatchObject({
      status: 404,
      body: { error: "Job not found", code: "job_not_found" },
    });
  });

  test.each([unique(), "not%20an%20id"])("of an unknown job is answered 404: %s", async (id) => {
    expect(await call("GET", `/api/v1/jobs/${id}/webhooks`, { headers: ALICE })).toMatchObject({ status: 404 });
  });

  test("of a client is paged, newest first, and can be narrowed to a status", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const ids: string[] = [];
    for (const status of [200, 410, 200, 410, 200]) {
      answer = status;
      pass(1_000);
      const sent = notice();
      await send(sent);
      await eventually(() => logOf(sent.job_id)).toHaveLength(1);
      ids.unshift(sent.id);
    }
    const page = async (query: string) => {
      const { body, headers } = await call("GET", `/api/v1/webhooks?${query}`, { headers: ALICE });
      return { ids: listed.parse(body).map(({ id }) => id), next: headers.get("X-Next-Cursor") };
    };
    const first = await page("limit=2");
    expect(first.ids).toEqual(ids.slice(0, 2));
    expect((await page(`limit=2&cursor=${first.next}`)).ids).toEqual(ids.slice(2, 4));
    expect((await page("limit=2&status=failed")).ids).toEqual([ids[1], ids[3]]);
    expect(await call("GET", "/api/v1/webhooks", { headers: BOB })).toMatchObject({ status: 200, body: [] });
  });

  test.each(["status=lost", "limit=0", "cursor=x"])("is not listed by what makes no sense: %s", async (query) => {
    expect(await call("GET", `/api/v1/webhooks?${query}`, { headers: ALICE })).toMatchObject({
      status: 400,
      body: { code: "bad_request" },
    });
  });
});
