import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { type ApiClient, call } from "../support/api-client.ts";
import { BatutaServer } from "../support/batuta-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const BLUEPRINT = `
import { blueprint } from "batuta";
import { z } from "zod";

const publish = blueprint({
  name: "publish",
  api: { version: "v1", endpoint: "/jobs/publish" },
  input: z.object({ title: z.string(), seconds: z.number().default(3600), deciders: z.array(z.string()).optional() }),
  states: ["review", "published", "dropped", "forgotten"],
})
  .start("review", ({ initialData: { title, seconds, deciders }, actions }) =>
    actions.awaitHumanApproval({
      message: "Publish " + title + "?",
      integration: "crm",
      data: { title },
      timeoutSeconds: seconds,
      ...(deciders === undefined ? {} : { deciders, approvals: deciders.length }),
      transitions: { approved: "published", rejected: "dropped", timeout: "forgotten" },
    }),
  )
  .end("published", ({ stateHistory }) => stateHistory.approval)
  .end("dropped", { failure: true })
  .end("forgotten", { failure: true });

export default [publish];
`;

const SECRET = `whsec_${Buffer.alloc(32, 5).toString("base64")}`;
const PUBLIC_URL = "https://batuta.example";
const TOKEN = { "X-Avtomatika-Token": "alice-token" };

const asked = z.object({
  event: z.literal("approval_needed"),
  job_id: z.string(),
  approval: z.object({ message: z.string(), data: z.unknown(), decisions: z.array(z.string()) }),
  links: z.array(z.object({ decider: z.string(), url: z.string() })),
});

/** The program behind the integration: keeps what it is sent. */
const received: { headers: IncomingHttpHeaders; body: string }[] = [];
const receiver = createServer((request, response) => {
  let body = "";
  request.setEncoding("utf8").on("data", (text: string) => (body += text));
  request.on("end", () => {
    received.push({ headers: request.headers, body });
    response.writeHead(204).end();
  });
});

let server: BatutaServer;
let client: ApiClient;
beforeAll(async () => {
  receiver.listen(0, "127.0.0.1");
  await once(receiver, "listening");
  const address = receiver.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const folder = temporaryFolder();
  writeFileSync(join(folder, "publish.ts"), BLUEPRINT);
  writeFileSync(
    join(folder, "integrations.toml"),
    `[integrations.crm]\nkind = "webhook"\nurl = "http://127.0.0.1:${port}/ask"\nsecret = "${SECRET}"\n`,
  );
  server = await BatutaServer.start({
    blueprints: "publish.ts",
    clients: ["alice"],
    cwd: folder,
    environment: { INTEGRATIONS_CONFIG_PATH: "integrations.toml", PUBLIC_URL, WEBHOOK_ALLOW_PRIVATE: "true" },
  });
  client = server.client("alice");
});
afterAll(() => {
  receiver.close();
});

/** What the integration was sent of a job, its signature checked. */
async function questionOf(jobId: string) {
  const [request] = await vi.waitFor(
    () => {
      const found = received.filter(({ body }) => body.includes(jobId));
      expect(found).not.toEqual([]);
      return found;
    },
    { timeout: 10_000 },
  );
  const headers = z.record(z.string(), z.string()).parse(request?.headers);
  return asked.parse(new Webhook(SECRET).verify(request?.body ?? "", headers));
}

/** Follows a link as a browser does, to the server under test. */
async function open(url: string, form?: Record<string, string>) {
  const response = await fetch(url.replace(PUBLIC_URL, server.url), {
    headers: { Accept: "text/html" },
    ...(form === undefined ? {} : { method: "POST", body: new URLSearchParams(form) }),
  });
  return { status: response.status, text: await response.text() };
}

function decide(jobId: string, decision: object, headers: Record<string, string> = TOKEN) {
  return call(`${server.url}/_public/webhooks/approval/${jobId}`, "POST", { json: decision, headers });
}

test("people decide by the signed links that the integration was sent, each once, through a crash", async () => {
  const id = await client.create("publish", { title: "<b>News</b>", deciders: ["ann", "ben"] });
  await client.expectJob(id, { status: "waiting_for_human", current_state: "review" });
  const question = await questionOf(id);
  expect(question.approval).toEqual({
    message: "Publish <b>News</b>?",
    data: { title: "<b>News</b>" },
    decisions: ["approved", "rejected"],
  });
  expect(question.links.map(({ decider }) => decider)).toEqual(["ann", "ben"]);
  const [ann = "", ben = ""] = question.links.map(({ url }) => url);

  const page = await open(ann);
  expect(page).toMatchObject({ status: 200, text: expect.stringContaining("Publish &lt;b&gt;News&lt;/b&gt;?") });
  expect(await open(ann, { decision: "approved", comment: "Good." })).toMatchObject({ status: 200 });
  expect(await open(ann, { decision: "approved" })).toMatchObject({ status: 409 });

  await server.kill();
  await server.startAgain();
  await client.expectJob(id, { status: "waiting_for_human" });
  expect(await open(ann)).toMatchObject({ status: 409 });
  expect(await open(ben)).toMatchObject({ status: 200, text: expect.stringContaining("1 of 2 so far") });
  expect(await open(ben, { decision: "approved" })).toMatchObject({ status: 200 });

  const decisions = [
    { decision: "approved", decided_by: "ann", comment: "Good." },
    { decision: "approved", decided_by: "ben", comment: null },
  ];
  await client.expectJob(id, { status: "finished", current_state: "published", result: { decisions } });
  expect(await open(ben)).toMatchObject({ status: 409, text: expect.stringContaining("not open any more") });
  const rows = await client.history(id);
  const told = rows.filter(({ event_type: type }) => type.startsWith("approval_"));
  expect(told).toMatchObject([
    { event_type: "approval_requested" },
    { event_type: "approval_decided", context_snapshot: { by: "ann", decision: "approved", comment: "Good." } },
    { event_type: "approval_decided", context_snapshot: { by: "ben", decision: "approved" } },
  ]);
});

describe("a client", () => {
  test("decides with its token, once", async () => {
    const id = await client.create("publish", { title: "by token" });
    await client.expectJob(id, { status: "waiting_for_human" });
    expect(await decide(id, { decision: "approved" }, {})).toMatchObject({ status: 401 });
    expect(await decide(id, { decision: "perhaps" })).toMatchObject({ status: 400 });
    expect(await decide(id, { decision: "rejected", decided_by: "dora" })).toMatchObject({
      status: 200,
      body: { status: "approval_received", job_id: id },
    });
    await client.expectJob(id, { status: "failed", current_state: "dropped" });
    expect(await decide(id, { decision: "approved" })).toMatchObject({ status: 409 });
  });

  test("gets further links for people it reaches by other ways", async () => {
    const id = await client.create("publish", { title: "one more" });
    await client.expectJob(id, { status: "waiting_for_human" });
    const { status, body } = await client.call("POST", `/jobs/${id}/approval/links`, { json: { decider: "emil" } });
    expect(status).toBe(201);
    const { url } = z.object({ url: z.string() }).parse(body);
    expect(await open(url, { decision: "approved" })).toMatchObject({ status: 200 });
    await client.expectJob(id, { status: "finished", result: { decision: "approved", decided_by: "emil" } });
  });
});

test("a question that nobody answers in time goes its own way, and its links end", async () => {
  const id = await client.create("publish", { title: "late", seconds: 1 });
  const [link] = (await questionOf(id)).links;
  await client.expectJob(id, { status: "failed", current_state: "forgotten" });
  expect((await open(link?.url ?? "")).status).toBeOneOf([409, 410]);
  expect(await decide(id, { decision: "approved" })).toMatchObject({ status: 409 });
});
