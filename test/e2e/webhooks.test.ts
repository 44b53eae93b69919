import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Worker } from "@batuta/worker";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { ApiClient } from "../support/api-client.ts";
import { BatutaServer, REPOSITORY } from "../support/batuta-server.ts";
import { ProcessGroup } from "../support/process-group.ts";
import { documentBlock } from "../support/readme-block.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
const PLAIN_SECRET = "a text of no meaning at all".replaceAll(" ", "-");

/** A request as it came, at what time, and what it was answered. */
interface Received {
  readonly headers: Record<string, string>;
  readonly body: string;
  readonly at: number;
}

/** The requests that came to each path of the receiver. */
const received = new Map<string, Received[]>();
const at = (path: string) => received.get(path) ?? [];

/** Answers 500 to the first request at a path that begins so, leads away from `/moved`, and answers 204 to all else. */
const FAILS_ONCE = "/fails-once";
const receiver = createServer(async (request, response) => {
  const path = request.url ?? "";
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) body += String(chunk);
  const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
  received.set(path, [...at(path), { headers, body, at: Date.now() }]);
  if (path === "/moved") response.writeHead(302, { Location: `${receiverUrl}/elsewhere` }).end();
  else response.writeHead(path.startsWith(FAILS_ONCE) && at(path).length === 1 ? 500 : 204).end();
});

let receiverUrl: string;
let server: BatutaServer;
let worker: Worker;
let running: Promise<void>;
let alice: ApiClient;
beforeAll(async () => {
  receiver.listen(0, "127.0.0.1");
  await once(receiver, "listening");
  receiverUrl = urlOf(receiver.address() as AddressInfo);
  const data = temporaryFolder();
  const clients = [
    `[clients.alice]\ntoken = "alice-token"\nwebhook_secret = "${SECRET}"`,
    `[clients.bob]\ntoken = "bob-token"\nwebhook_secret = "${PLAIN_SECRET}"\nwebhook_url = "${receiverUrl}/bob"`,
    `[clients.carol]\ntoken = "carol-token"`,
  ];
  writeFileSync(join(data, "clients.toml"), clients.join("\n"));
  server = await BatutaServer.start({ data, environment: { WEBHOOK_ALLOW_PRIVATE: "true" } });
  alice = server.client("alice");
  worker = new Worker({ ...server.forWorkers, websockets: true, shutdownTimeout: 1 })
    .task("echo", ({ params }) => ({ echoed: params.value }))
    .task("refuses", () => ({ status: "rejected", data: {} }));
  running = worker.run({ handleSignals: false });
});
afterAll(async () => {
  await worker.stop();
  await running;
  receiver.close();
});

function urlOf({ port }: AddressInfo): string {
  return `http://127.0.0.1:${port}`;
}

const create = (input: object, webhookUrl: string) =>
  alice.create("one-task", { initial_data: input, webhook_url: webhookUrl });

/** Waits until the job's delivery log looks like this. */
async function expectLog(client: ApiClient, jobId: string, like: object[]): Promise<void> {
  await vi.waitFor(async () => {
    const { status, body } = await client.call("GET", `/jobs/${jobId}/webhooks`);
    expect({ status, body }).toMatchObject({ status: 200, body: like });
  }, 20_000);
}

test("a job's end is posted to its webhook, signed, and again while the receiver fails", async () => {
  const id = await create({ value: "Ada" }, receiverUrl + FAILS_ONCE);
  await expectLog(alice, id, [{ status: "retrying", attempts: 1, last_status_code: 500 }]);
  await expectLog(alice, id, [{ status: "delivered", attempts: 2, last_status_code: 204, next_attempt_at: null }]);
  const posts = at(FAILS_ONCE);
  expect(posts).toHaveLength(2);
  for (const { body, headers } of posts) {
    expect(new Webhook(SECRET).verify(body, headers)).toMatchObject({
      event: "job_finished",
      job_id: id,
      blueprint: "one_task",
      status: "finished",
      current_state: "done",
      result: { echoed: "Ada" },
      error: null,
    });
  }
  const [first, second] = posts;
  expect(second?.headers["webhook-id"]).toBe(first?.headers["webhook-id"]);
  expect(Number(second?.at) - Number(first?.at)).toBeGreaterThanOrEqual(4_900);
});

test("a job that ends badly is posted to the client's own webhook, signed with a secret that is plain text", async () => {
  const bob = server.client("bob");
  const id = await bob.create("one-task", { type: "refuses" });
  await expectLog(bob, id, [{ event: "job_failed", status: "delivered", attempts: 1, url: `${receiverUrl}/bob` }]);
  const [post] = at("/bob");
  expect(new Webhook(PLAIN_SECRET, { format: "raw" }).verify(post?.body ?? "", post?.headers ?? {})).toMatchObject({
    event: "job_failed",
    job_id: id,
    current_state: "failed_on_purpose",
  });
});

test("a webhook that waits for its next try survives a power cut", async () => {
  const path = `${FAILS_ONCE}-before-the-cut`;
  const id = await create({}, receiverUrl + path);
  await expectLog(alice, id, [{ status: "retrying", attempts: 1 }]);
  await server.kill();
  await server.startAgain();
  await expectLog(alice, id, [{ status: "delivered", last_status_code: 204 }]);
  expect(new Set(at(path).map(({ headers }) => headers["webhook-id"])).size).toBe(1);
});

test("a webhook does not follow a redirect", async () => {
  const id = await create({}, `${receiverUrl}/moved`);
  await expectLog(alice, id, [{ status: "retrying", last_status_code: 302 }]);
  expect(at("/elsewhere")).toEqual([]);
});

test("a webhook that cannot be signed, or goes nowhere, is refused when the job is created", async () => {
  const json = { initial_data: {}, webhook_url: `${receiverUrl}/carol` };
  expect(await server.client("carol").call("POST", "/jobs/one-task", { json })).toMatchObject({
    status: 400,
    body: { code: "bad_request", error: expect.stringContaining("no secret to sign with") },
  });
  expect(await alice.call("POST", "/jobs/one-task", { json: { ...json, webhook_url: "nowhere" } })).toMatchObject({
    status: 400,
    body: { code: "bad_request", error: expect.stringContaining("webhook_url cannot be used") },
  });
});

test("the receiver of the how-to takes what is signed with its secret, and nothing else", async () => {
  // Below the repository, so that it finds its package; git does not look there.
  const ignored = join(REPOSITORY, ".batuta");
  mkdirSync(ignored, { recursive: true });
  const folder = temporaryFolder(ignored);
  writeFileSync(join(folder, "receiver.mjs"), documentBlock("docs/how-to/webhooks.md", "receiver.mjs"));
  const port = await freePort();
  const environment = { PORT: String(port), WEBHOOK_SECRET: SECRET };
  const program = new ProcessGroup(["receiver.mjs"], { cwd: folder, environment });
  await program.printed(/listening/);
  const address = `http://127.0.0.1:${port}`;
  const forged = await fetch(address, {
    method: "POST",
    headers: {
      "webhook-id": "1",
      "webhook-timestamp": String(Math.floor(Date.now() / 1000)),
      "webhook-signature": "v1,x",
    },
    body: "{}",
  });
  expect(forged.status).toBe(401);
  const id = await create({}, address);
  await program.printed(new RegExp(`^job_finished ${id}$`, "m"));
  await expectLog(alice, id, [{ status: "delivered", last_status_code: 204 }]);
});

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}
