import { env } from "cloudflare:workers";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { readConfiguration } from "../../src/configuration.ts";
import type { Env } from "../../src/env.ts";
import { consumeNotices, type DeliverySurroundings, type NoticeDelivery } from "../../src/notices/consumer.ts";
import { deliveriesOf, listDeliveries, recordDeliveries, type Delivery } from "../../src/notices/delivery-log.ts";
import type { NoticeMessage } from "../../src/notices/messages.ts";
import { unique } from "../support/workerd-api.ts";

const NOW = Date.UTC(2026, 10, 22, 12);
const SECRETS = ["the-first-secret-of-alice", "the-second-secret-of-alice"] as const;

const clientsToml = (secret: string) => `[alice]\ntoken = "t"\nwebhook_secret = "${secret}"\n[bob]\ntoken = "u"`;

/** A deployment of the test's own, whose files a test may change. */
function deployment(changes: Partial<Env> = {}): Env {
  return { ...env, CLIENTS_TOML: clientsToml(SECRETS[0]), WORKERS_TOML: "", INTEGRATIONS_TOML: "", ...changes };
}

/** All the log lines of a test. */
let lines: string[];
beforeEach(() => {
  lines = [];
  vi.spyOn(console, "log").mockImplementation((line) => lines.push(String(line)));
  vi.spyOn(console, "error").mockImplementation((line) => lines.push(String(line)));
});
afterEach(() => {
  vi.restoreAllMocks();
});

const requests: { url: string; headers: Record<string, string>; body: string }[] = [];
function outside(changes: Partial<DeliverySurroundings> = {}): DeliverySurroundings {
  requests.length = 0;
  return {
    fetch: async (input, init) => {
      const sent = new Request(input, init);
      requests.push({ url: input, headers: Object.fromEntries(sent.headers), body: await sent.text() });
      return new Response();
    },
    now: () => NOW,
    askPeople: async () => [],
    ...changes,
  };
}
const answering = (status: number) => outside({ fetch: async () => new Response(null, { status }) });

function webhook(fields: object = {}): NoticeMessage {
  const job_id = unique();
  const body = { event: "job_failed", job_id };
  const whole = { v: 1, kind: "webhook", id: `${job_id}-3`, job_id, client: "alice", url: "https://example.com/hook" };
  return { ...whole, body, ...fields } as NoticeMessage;
}

function question(fields: object = {}): NoticeMessage {
  const job_id = unique();
  return {
    v: 1,
    kind: "ask_people",
    id: `${job_id}-w1`,
    job_id,
    client: "alice",
    blueprint: "photos",
    integration: "editors",
    message: "Publish?",
    decisions: ["approved", "rejected"],
    deciders: null,
    approvals: 1,
    data: null,
    until: null,
    ...fields,
  };
}

const target = (n: number) => ({
  url: `https://chat.example/secret-path-${n}`,
  headers: {},
  body: `{"n":${n}}`,
  log: "chat",
});

/** Hands over a batch and tells what was said of each of its messages. */
async function consume(bodies: unknown[], around: DeliverySurroundings, own = deployment(), attempts = 1) {
  const said = bodies.map((): string[] => []);
  const messages = bodies.map((body, index): NoticeDelivery => ({
    id: unique(),
    body,
    attempts,
    timestamp: new Date(NOW - 1_000),
    ack: () => said[index]?.push("ack"),
    retry: (options) => said[index]?.push(`retry in ${options?.delaySeconds} s`),
  }));
  await consumeNotices(messages, own, readConfiguration(own), around);
  return said;
}

const logOf = (notice: NoticeMessage) => deliveriesOf(env.HISTORY_DB, notice.job_id, notice.client);

describe("a webhook", () => {
  test("is signed with the secret that stands in the file at that moment", async () => {
    const own = deployment();
    const sentWith = async () => {
      const notice = webhook();
      await consume([notice], outside({ now: () => Date.now() }), own);
      const [sent = { headers: {}, body: "" }] = requests;
      return SECRETS.map((secret) => {
        try {
          return new Webhook(secret, { format: "raw" }).verify(sent.body, sent.headers) !== undefined;
        } catch {
          return false;
        }
      });
    };
    expect(await sentWith()).toEqual([true, false]);
    own.CLIENTS_TOML = clientsToml(SECRETS[1]);
    expect(await sentWith()).toEqual([false, true]);
  });

  test.each([
    ["a client that is gone", { client: "carol" }, /client 'carol': the client is not in clients\.toml/],
    ["a client whose secret is gone", { client: "bob" }, /client 'bob': its webhook_secret is not in clients\.toml/],
  ])("of %s fails for good, and the logs say why", async (_, fields, reason) => {
    const notice = webhook(fields);
    expect(await consume([notice], outside())).toEqual([["ack"]]);
    expect(requests).toEqual([]);
    expect(await logOf(notice)).toMatchObject([{ status: "failed", last_error: expect.stringMatching(reason) }]);
    expect(lines.join()).toMatch(reason);
  });

  test("to an address that is refused is never sent, and the logs say why", async () => {
    const notice = webhook({ url: "https://169.254.169.254/latest?token=hunter2" });
    expect(await consume([notice], outside())).toEqual([["ack"]]);
    expect(requests).toEqual([]);
    expect(await logOf(notice)).toMatchObject([
      { status: "refused", url: "https://169.254.169.254/latest", last_error: expect.stringContaining("private") },
    ]);
    expect(lines.join()).toContain("notice.refused");
    expect(lines.join()).not.toContain("hunter2");
  });

  test("is sent later while the file of clients cannot be used", async () => {
    const notice = webhook();
    expect(await consume([notice], outside(), deployment({ CLIENTS_TOML: "[alice" }))).toEqual([["retry in 5 s"]]);
    expect(await logOf(notice)).toMatchObject([{ status: "retrying", next_attempt_at: NOW + 5_000 }]);
  });

  test("is sent, and done with, while the database is away", async () => {
    const broken = {
      prepare() {
        throw new Error("D1 is away");
      },
    } as unknown as D1Database;
    const messages = [webhook(), webhook()];
    expect(await consume(messages, outside(), deployment({ HISTORY_DB: broken }))).toEqual([["ack"], ["ack"]]);
    expect(requests).toHaveLength(2);
    expect(lines.join()).toContain("D1 is away");
  });

  test("waits as long as its receiver asks", async () => {
    const busy = outside({ fetch: async () => new Response(null, { status: 429, headers: { "Retry-After": "77" } }) });
    expect(await consume([webhook()], busy)).toEqual([["retry in 77 s"]]);
    expect(await consume([webhook()], busy, deployment(), 3)).toEqual([["retry in 120 s"]]);
  });

  test("never carries its secret into a log", async () => {
    for (const status of [200, 410, 500])
      await consume([webhook()], answering(status), deployment({ LOG_LEVEL: "DEBUG" }));
    expect(lines).toHaveLength(3);
    expect(lines.join()).not.toContain("secret-of-alice");
  });
});

describe("a batch", () => {
  test("is never stopped by what is no notice", async () => {
    const good = webhook();
    const bad = [null, "text", {}, { ...good, v: 2 }, { ...good, kind: "letter" }];
    expect(await consume([...bad, good], outside())).toEqual(Array.from({ length: 6 }, () => ["ack"]));
    expect(requests).toHaveLength(1);
    expect(lines.filter((line) => line.includes("notice.unreadable"))).toHaveLength(5);
  });

  test("has five requests under way at most", async () => {
    let [underWay, most] = [0, 0];
    const slow = outside({
      fetch: async () => {
        most = Math.max(most, (underWay += 1));
        await new Promise((resolve) => setTimeout(resolve));
        underWay -= 1;
        return new Response();
      },
    });
    await consume(
      Array.from({ length: 10 }, () => webhook()),
      slow,
    );
    expect(most).toBe(5);
  });
});

describe("a question to people", () => {
  test("is sent as it comes, and the log calls its target by name only", async () => {
    const notice = question();
    expect(await consume([notice], outside({ askPeople: async () => [target(1)] }))).toEqual([["ack"]]);
    expect(requests).toMatchObject([{ url: "https://chat.example/secret-path-1", body: '{"n":1}' }]);
    const log = await logOf(notice);
    expect(log).toMatchObject([
      {
        id: `${notice.id}-ask-1`,
        kind: "ask_people",
        event: "approval_needed",
        url: "integration 'editors'",
        status: "delivered",
      },
    ]);
    expect(JSON.stringify(log) + lines.join()).not.toContain("secret-path");
  });

  test("of which each part is a message of its own, so that none is sent twice for another's sake", async () => {
    const sent: unknown[] = [];
    const sendBatch = async (batch: Iterable<{ body: unknown }>) => sent.push(...[...batch].map(({ body }) => body));
    const own = deployment({ NOTICES_QUEUE: { sendBatch } as unknown as Queue });
    const notice = question();
    const three = { askPeople: async () => [target(1), target(2), target(3)] };
    expect(await consume([notice], outside(three), own)).toEqual([["ack"]]);
    expect(requests).toEqual([]);
    expect(sent).toEqual([0, 1, 2].map((only) => ({ ...notice, only })));
    const stubborn = outside({
      ...three,
      fetch: async (url) => new Response(null, { status: url.endsWith("2") ? 500 : 200 }),
    });
    expect(await consume(sent, stubborn, own)).toEqual([["ack"], ["retry in 5 s"], ["ack"]]);
    expect((await logOf(notice)).map(({ id, status }) => [id, status])).toEqual([
      [`${notice.id}-ask-1`, "delivered"],
      [`${notice.id}-ask-2`, "retrying"],
      [`${notice.id}-ask-3`, "delivered"],
    ]);
  });

  test("that cannot be put yet is put again later, and the log says why", async () => {
    const notice = question();
    const askPeople = async () => {
      throw new Error("There is no integration 'editors'.");
    };
    expect(await consume([notice], outside({ askPeople }))).toEqual([["retry in 5 s"]]);
    expect(await logOf(notice)).toMatchObject([
      { status: "retrying", last_error: "There is no integration 'editors'.", last_status_code: null },
    ]);
  });

  test("whose time is over is put to nobody", async () => {
    const notice = question();
    expect(await consume([notice], outside(), deployment(), 3)).toEqual([["ack"]]);
    expect(await logOf(notice)).toMatchObject([{ status: "failed", last_error: "Nobody is to be asked any more." }]);
  });
});

describe("the delivery log", () => {
  function delivery(fields: Partial<Delivery> = {}): Delivery {
    const job_id = unique();
    return {
      id: `${job_id}-1`,
      job_id,
      client: unique(),
      kind: "webhook",
      event: "job_finished",
      url: "https://example.com/hook",
      status: "retrying",
      attempts: 1,
      last_status_code: 500,
      last_error: "The receiver answered 500.",
      created_at: NOW,
      updated_at: NOW,
      next_attempt_at: NOW + 5_000,
      ...fields,
    };
  }
  const read = ({ job_id, client }: Delivery) => deliveriesOf(env.HISTORY_DB, job_id, client);

  test("keeps that something was delivered, though a repeated message fails", async () => {
    const first = delivery({ status: "delivered" });
    await recordDeliveries(env.HISTORY_DB, [first, { ...first, status: "failed", attempts: 10 }]);
    expect(await read(first)).toMatchObject([{ status: "delivered", attempts: 1 }]);
  });

  test("costs two rows for a new delivery and one for each further try", async () => {
    let rows = 0;
    const metered = {
      prepare: (query: string) => ({
        bind: (...values: unknown[]) => ({
          async run() {
            const result = await env.HISTORY_DB.prepare(query)
              .bind(...values)
              .run();
            rows += result.meta.rows_written;
            return result;
          },
        }),
      }),
    } as unknown as D1Database;
    const first = delivery();
    await recordDeliveries(metered, [first]);
    expect(rows).toBe(2);
    await recordDeliveries(metered, [{ ...first, attempts: 2, updated_at: NOW + 1, next_attempt_at: NOW + 2 }]);
    expect(rows).toBe(3);
  });

  test("is read by one search each, of no more rows than are wanted", async () => {
    const queries: string[] = [];
    const overheard = {
      prepare(query: string) {
        queries.push(query);
        return env.HISTORY_DB.prepare(query);
      },
    } as unknown as D1Database;
    await listDeliveries(overheard, { client: "c", limit: 5, cursor: "1.x" });
    await deliveriesOf(overheard, "j", "c");
    const plans = queries.map(async (query) => {
      const values = [...query.matchAll(/\?/g)].map(() => 1);
      const plan = await env.HISTORY_DB.prepare(`EXPLAIN QUERY PLAN ${query}`)
        .bind(...values)
        .all<{ detail: string }>();
      return plan.results.map(({ detail }) => detail);
    });
    expect(await Promise.all(plans)).toEqual([
      ["SEARCH webhook_deliveries USING INDEX webhook_deliveries_by_client (client=? AND (created_at,id)<(?,?))"],
      ["SEARCH webhook_deliveries USING PRIMARY KEY (job_id=?)", "USE TEMP B-TREE FOR ORDER BY"],
    ]);
  });

  test("gives each delivery once, page by page, though several are of one millisecond", async () => {
    const client = unique();
    const all = Array.from({ length: 7 }, (_, n) => delivery({ client, created_at: NOW + Math.floor(n / 3) }));
    await recordDeliveries(env.HISTORY_DB, all);
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await listDeliveries(env.HISTORY_DB, { client, limit: 2, cursor });
      seen.push(...(page?.deliveries.map(({ id }) => id) ?? []));
      cursor = page?.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(seen.toSorted()).toEqual(all.map(({ id }) => id).toSorted());
  });
});
