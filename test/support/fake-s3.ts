import { createHash, createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import { afterAll } from "vitest";

/** Keys of one page of a listing. */
const PAGE = 3;

export const S3_CREDENTIALS = { accessKey: "AKIDEXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };

type Answer = { status: number; body?: string | Buffer; headers?: Record<string, string> };

/**
 * An S3-compatible store in memory, over real HTTP with path-style addresses. It takes only requests whose AWS Signature 4 is
 * right, and bodies that are what their hash says.
 */
export class FakeS3 {
  readonly objects = new Map<string, Buffer>();
  /** `METHOD path` of each request, decoded. */
  readonly requests: string[] = [];
  /** Statuses the next requests are answered with in place of the right answer; 0 breaks the connection off in the middle. */
  readonly faults: number[] = [];
  /** The most requests there were at the same time. */
  mostAtOnce = 0;
  #atOnce = 0;
  #region: string;
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  private constructor(region: string) {
    this.#region = region;
  }

  static async start(region = "us-east-1"): Promise<FakeS3> {
    const store = new FakeS3(region);
    store.#server.listen(0, "127.0.0.1");
    await once(store.#server, "listening");
    afterAll(() => {
      store.#server.closeAllConnections();
      store.#server.close();
    });
    return store;
  }

  get endpoint(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("The store has no port.");
    return `http://127.0.0.1:${address.port}`;
  }

  put(bucketAndKey: string, content: string | Buffer): void {
    this.objects.set(bucketAndKey, Buffer.from(content));
  }

  text(bucketAndKey: string): string | undefined {
    return this.objects.get(bucketAndKey)?.toString();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#atOnce);
    const body = await buffer(request);
    const url = new URL(request.url ?? "/", this.endpoint);
    this.requests.push(`${request.method} ${decodeURIComponent(url.pathname)}`);
    const fault = this.faults.shift();
    const right = this.#right(request, url, body);
    if (fault === 0) {
      response.writeHead(200, { "Content-Length": "1000" });
      response.write("half", () => response.destroy());
    } else {
      const { status, body: content, headers } = fault === undefined ? right : problem(fault, "SlowDown");
      response.writeHead(status, { ...headers, "Content-Length": String(Buffer.byteLength(content ?? "")) });
      response.end(content);
    }
    this.#atOnce--;
  }

  #right(request: IncomingMessage, url: URL, body: Buffer): Answer {
    if (!isSigned(request, url, body, this.#region)) return problem(403, "SignatureDoesNotMatch");
    const name = decodeURIComponent(url.pathname).slice(1);
    if (request.method === "PUT") {
      if (request.headers["content-length"] === undefined) return problem(411, "MissingContentLength");
      this.objects.set(name, body);
      return { status: 200, headers: { ETag: etagOf(body) } };
    }
    if (url.searchParams.get("list-type") === "2") return this.#list(name, url.searchParams);
    const content = this.objects.get(name);
    return content === undefined
      ? problem(404, "NoSuchKey")
      : { status: 200, body: content, headers: { ETag: etagOf(content) } };
  }

  #list(bucket: string, query: URLSearchParams): Answer {
    const prefix = `${bucket}/${query.get("prefix") ?? ""}`;
    const after = Buffer.from(query.get("continuation-token") ?? "", "base64").toString();
    const all = [...this.objects.keys()].filter((name) => name.startsWith(prefix)).toSorted();
    const left = all.filter((name) => name > after);
    const page = left.slice(0, PAGE);
    const keys = page.map(
      (name) => `<Contents><Key>${encodeURIComponent(name.slice(bucket.length + 1))}</Key></Contents>`,
    );
    const next =
      left.length > PAGE
        ? `<NextContinuationToken>${Buffer.from(page.at(-1) ?? "").toString("base64")}</NextContinuationToken>`
        : "";
    return { status: 200, body: `<ListBucketResult>${keys.join("")}${next}</ListBucketResult>` };
  }
}

export function etagOf(content: string | Buffer): string {
  return `"${createHash("md5").update(content).digest("hex")}"`;
}

function problem(status: number, code: string): Answer {
  return { status, body: `<?xml version="1.0"?><Error><Code>${code}</Code></Error>` };
}

/** Works the signature out anew, by AWS's description of version 4. */
function isSigned(request: IncomingMessage, url: URL, body: Buffer, region: string): boolean {
  const { authorization = "" } = request.headers;
  const date = String(request.headers["x-amz-date"]);
  const hash = String(request.headers["x-amz-content-sha256"]);
  const [, signed = ""] = /SignedHeaders=([^,]+)/.exec(authorization) ?? [];
  if (hash !== "UNSIGNED-PAYLOAD" && hash !== sha256(body)) return false;
  const query = [...url.searchParams].map(([name, value]) => `${encode(name)}=${encode(value)}`).toSorted();
  const headers = signed.split(";").map((name) => `${name}:${String(request.headers[name]).trim()}\n`);
  const path = url.pathname
    .split("/")
    .map((part) => encode(decodeURIComponent(part)))
    .join("/");
  const canonical = [request.method, path, query.join("&"), headers.join(""), signed, hash].join("\n");
  const scope = `${date.slice(0, 8)}/${region}/s3/aws4_request`;
  const toSign = ["AWS4-HMAC-SHA256", date, scope, sha256(canonical)].join("\n");
  const key = scope
    .split("/")
    .reduce<string | Buffer>((secret, part) => hmac(secret, part), `AWS4${S3_CREDENTIALS.secretKey}`);
  const credential = `AWS4-HMAC-SHA256 Credential=${S3_CREDENTIALS.accessKey}/${scope}`;
  const signature = hmac(key, toSign).toString("hex");
  return authorization.replaceAll(", ", " ") === `${credential} SignedHeaders=${signed} Signature=${signature}`;
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

function sha256(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

function hmac(key: string | Buffer, content: string): Buffer {
  return createHmac("sha256", key).update(content).digest();
}
