import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Worker } from "../../../worker-sdk/src/index.ts";
import { HttpClient } from "../../../worker-sdk/src/http/http-client.ts";
import { aTask } from "./support/fake-orchestrator.ts";

/** Over real sockets of the loopback interface: what the fakes cannot prove. */
let server: Server;
let origin: string;

beforeEach(async () => {
  server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  origin = `http://127.0.0.1:${address.port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, "close");
});

function answer(
  handle: (
    request: IncomingMessage,
    body: string,
  ) => { status: number; body?: unknown; headers?: Record<string, string> },
) {
  server.on("request", async (request, response) => {
    const { status, body, headers } = handle(request, await text(request));
    response.writeHead(status, headers).end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function client(base = origin): HttpClient {
  return new HttpClient(base, "worker-1", "secret", fetch);
}

describe("HttpClient", () => {
  it("sends the token and reads a task", async () => {
    const task = aTask();
    answer(({ url, headers }) => {
      expect([url, headers["x-worker-token"]]).toEqual(["/_worker/workers/worker-1/tasks/next?timeout=30", "secret"]);
      return { status: 200, body: task };
    });
    expect(await client().nextTask(30_000)).toEqual({ ok: true, value: task });
  });

  it("reads 204 as no task", async () => {
    answer(() => ({ status: 204 }));
    expect(await client().nextTask(1_000)).toEqual({ ok: true, value: undefined });
  });

  it("does not follow a redirect", async () => {
    let requests = 0;
    answer(() => {
      requests++;
      return { status: 302, headers: { Location: "/elsewhere" } };
    });
    expect(await client().register({ worker_id: "worker-1" })).toEqual({
      ok: false,
      failure: { status: 302, message: "HTTP 302: /elsewhere", retryable: false },
    });
    expect(requests).toBe(1);
  });

  it("tells what the orchestrator said, and when to come back", async () => {
    answer(() => ({ status: 429, body: { error: "Too Many Requests" }, headers: { "Retry-After": "3" } }));
    expect(await client().heartbeat({})).toEqual({
      ok: false,
      failure: { status: 429, message: "HTTP 429: Too Many Requests", retryable: true, retryAfterMs: 3_000 },
    });
  });

  it("takes an answer that is no task as a failure", async () => {
    answer(() => ({ status: 200, body: { job_id: "j" } }));
    expect(await client().nextTask(1_000)).toMatchObject({
      ok: false,
      failure: { retryable: true, message: expect.stringContaining("The answer was not understood") },
    });
  });

  it.each([
    ["behind", -3_600_000],
    ["ahead", 3_600_000],
  ])("knows the orchestrator's time where its own clock is %s", async (_, aheadMs) => {
    const date = new Date(Date.now() - aheadMs).toUTCString();
    answer(() => ({ status: 204, headers: { Date: date } }));
    const http = client();
    expect(Math.abs(http.now() - Date.now())).toBeLessThan(1_000);
    await http.heartbeat({});
    expect(Math.abs(http.now() - (Date.now() - aheadMs))).toBeLessThan(2_000);
  });

  it("takes a clock that is right for right, to the millisecond", async () => {
    answer(() => ({ status: 204, headers: { Date: new Date(Date.now() - 1_000).toUTCString() } }));
    const http = client();
    await http.heartbeat({});
    const before = Date.now();
    expect(http.now()).toBeGreaterThanOrEqual(before);
    expect(http.now()).toBeLessThanOrEqual(Date.now());
  });

  it("tells why nobody answers", async () => {
    const reply = await client("http://127.0.0.1:1").heartbeat({});
    expect(reply).toMatchObject({ ok: false, failure: { retryable: true } });
    expect(reply.ok || reply.failure.message).toMatch(/^fetch failed: /);
  });

  it("asks nothing when it was interrupted before", async () => {
    let requests = 0;
    answer(() => {
      requests++;
      return { status: 204 };
    });
    expect(await client().nextTask(1_000, AbortSignal.abort())).toMatchObject({ ok: false });
    expect(requests).toBe(0);
  });

  it("can be interrupted", async () => {
    const abort = new AbortController();
    server.on("request", () => abort.abort());
    expect(await client().nextTask(30_000, abort.signal)).toMatchObject({ ok: false });
  });
});

describe("a worker over a real WebSocket", () => {
  it("brings its token in a header, takes a task and brings the result home", async () => {
    answer(() => ({ status: 200, body: { status: "registered" } }));
    const task = aTask({ params: { name: "Ada" } });
    const result = Promise.withResolvers<unknown>();
    server.on("upgrade", (request: IncomingMessage, stream: Duplex) => {
      expect(request.headers["x-worker-token"]).toBe("secret");
      acceptWebSocket(request, stream, (frame, send) => {
        const message = JSON.parse(frame);
        if (message.type === "hello") {
          send({ type: "welcome", current_tasks: [] });
          send({ type: "task", task });
        } else if (message.type === "result") {
          result.resolve(message.result);
          send({ type: "result_ack", task_id: message.task_id, attempt: 1, status: "result_accepted_success" });
        }
      });
    });
    const worker = new Worker({ orchestratorUrl: origin, token: "secret", logger: false }, { environment: {} });
    worker.task("work", ({ params }) => ({ greeting: `Hello, ${String(params["name"])}` }));
    const running = worker.run({ handleSignals: false });
    expect(await result.promise).toEqual({ status: "success", data: { greeting: "Hello, Ada" } });
    await worker.stop();
    await running;
  });
});

/** The smallest server side of RFC 6455 that serves these tests: unfragmented text frames below 64 KiB. */
function acceptWebSocket(
  request: IncomingMessage,
  stream: Duplex,
  onText: (text: string, send: (frame: unknown) => void) => void,
): void {
  const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const accept = createHash("sha1").update(key).digest("base64");
  stream.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  const send = (frame: unknown): void => {
    const payload = Buffer.from(JSON.stringify(frame));
    const header =
      payload.length < 126 ? [0x81, payload.length] : [0x81, 126, payload.length >> 8, payload.length & 0xff];
    stream.write(Buffer.concat([Buffer.from(header), payload]));
  };
  let buffered = Buffer.alloc(0);
  stream.on("data", (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk]);
    while (buffered.length >= 2) {
      const long = (buffered[1] ?? 0) === 0xfe;
      if (long && buffered.length < 4) return;
      const length = long ? buffered.readUInt16BE(2) : (buffered[1] ?? 0) & 0x7f;
      const start = long ? 8 : 6;
      if (buffered.length < start + length) return;
      const mask = buffered.subarray(start - 4, start);
      const payload = buffered.subarray(start, start + length).map((byte, index) => byte ^ (mask[index % 4] ?? 0));
      const isText = buffered[0] === 0x81;
      buffered = buffered.subarray(start + length);
      if (isText) onText(Buffer.from(payload).toString(), send);
      else stream.end();
    }
  });
}
