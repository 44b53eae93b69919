import { AwsV4Signer } from "aws4fetch";
import { exponentialDelay, parseRetryAfter, type RandomSource } from "../backoff.ts";
import { HandlerError, PermanentError, TransientError } from "../errors.ts";
import { describeError } from "../logger.ts";
import type { Runtime } from "../runtime.ts";
import { sleep } from "../sleep.ts";
import type { StoreSettings } from "./s3-settings.ts";

const ATTEMPTS = 5;
const RETRY_BOUNDS = { baseMs: 250, capMs: 10_000 };
/** A transfer in which nothing moves for this long is broken off and begun again. */
const STALL_MS = 60_000;
/** The slowest line that is worth waiting for. */
const SLOWEST_BYTES_PER_MS = 16;
/** What was taken from a body may still be in buffers on the way to the store, where its pace is not seen. */
const BUFFERED_BYTES = 4 * 1024 * 1024;
/** Objects below one prefix that a task may name at once. */
const MAX_LISTED = 10_000;

interface S3Request {
  readonly method: "GET" | "PUT";
  readonly bucket: string;
  readonly key?: string;
  readonly query?: Record<string, string>;
  readonly body?: Blob;
  /** Of the body, hex. */
  readonly sha256?: string;
}

/** Called once there is an answer; may be called again from the start when it breaks off. */
type ReadAnswer<Value> = (response: Response, alive: () => void) => Promise<Value>;

/** Requests to one S3-compatible store, signed with AWS Signature 4, tried again while it makes sense. */
export class S3Client {
  readonly #settings: StoreSettings;
  readonly #fetch: Runtime["fetch"];
  readonly #random: RandomSource;

  constructor(settings: StoreSettings, { fetch, random }: Pick<Runtime, "fetch" | "random">) {
    this.#settings = settings;
    this.#fetch = (url, init) => fetch(url, init);
    this.#random = random;
  }

  get settings(): StoreSettings {
    return this.#settings;
  }

  /** @param read takes the object's content; `alive` is to be called whenever some of it has come */
  get<Value>(bucket: string, key: string, read: ReadAnswer<Value>, signal: AbortSignal): Promise<Value> {
    return this.#send({ method: "GET", bucket, key }, read, signal);
  }

  /** @returns the ETag the store gives the object */
  put(bucket: string, key: string, body: Blob, sha256: string, signal: AbortSignal): Promise<string | undefined> {
    const etag = async (response: Response) => response.headers.get("ETag") ?? undefined;
    return this.#send({ method: "PUT", bucket, key, body, sha256 }, etag, signal);
  }

  /** Keys of all objects below a prefix. */
  async list(bucket: string, prefix: string, signal: AbortSignal): Promise<string[]> {
    const keys: string[] = [];
    let token: string | undefined;
    do {
      const query = {
        "list-type": "2",
        "encoding-type": "url",
        prefix,
        ...(token !== undefined && { "continuation-token": token }),
      };
      const page: string = await this.#send({ method: "GET", bucket, query }, (response) => response.text(), signal);
      keys.push(...tagsIn(page, "Key").map((key) => decodeURIComponent(key.replaceAll("+", " "))));
      if (keys.length > MAX_LISTED) {
        throw new PermanentError(
          `There are more than ${MAX_LISTED} objects below ${bucket}/${prefix}; name fewer at once.`,
        );
      }
      [token] = tagsIn(page, "NextContinuationToken");
    } while (token !== undefined);
    return keys;
  }

  async #send<Value>(request: S3Request, read: ReadAnswer<Value>, signal: AbortSignal): Promise<Value> {
    const shown = `${this.#settings.scheme}://${request.bucket}/${request.key ?? request.query?.["prefix"] ?? ""}`;
    for (let failures = 0; ; failures++) {
      signal.throwIfAborted();
      const refusal = await this.#attempt(request, read, signal);
      if ("value" in refusal) return refusal.value;
      signal.throwIfAborted();
      const { status, message, retryAfterMs = 0 } = refusal;
      const text = `The store did not ${request.method === "GET" ? "give" : "take"} ${shown}: ${message}`;
      if (status !== undefined && status < 500 && status !== 429 && status !== 408) throw new PermanentError(text);
      if (failures + 1 >= ATTEMPTS) throw new TransientError(text);
      await sleep(Math.max(exponentialDelay(failures, RETRY_BOUNDS, this.#random), retryAfterMs), signal);
    }
  }

  async #attempt<Value>(
    request: S3Request,
    read: ReadAnswer<Value>,
    signal: AbortSignal,
  ): Promise<{ value: Value } | { status?: number; message: string; retryAfterMs?: number | undefined }> {
    const { url, method, headers } = await this.#sign(request);
    const stalled = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let over = false;
    const alive = (bytesUnderWay = 0): void => {
      if (over) return;
      const ms = STALL_MS + bytesUnderWay / SLOWEST_BYTES_PER_MS;
      clearTimeout(timer);
      timer = setTimeout(() => stalled.abort(new Error(`Nothing moved for ${Math.round(ms / 1000)} s`)), ms);
    };
    // Where a runtime does not read the body through its stream, all of it may be under way.
    alive(request.body?.size);
    const body = request.body && watched(request.body, (taken) => alive(Math.min(taken, BUFFERED_BYTES)));
    try {
      const response = await this.#fetch(url.toString(), {
        method,
        headers,
        ...(body !== undefined && { body }),
        redirect: "manual",
        signal: AbortSignal.any([signal, stalled.signal]),
      });
      alive();
      if (response.ok) return { value: await read(response, alive) };
      const [code = response.statusText] = tagsIn(await response.text(), "Code");
      const retryAfterMs = parseRetryAfter(response.headers.get("Retry-After"), Date.now());
      return { status: response.status, message: `HTTP ${response.status} ${code}`.trim(), retryAfterMs };
    } catch (error) {
      if (error instanceof HandlerError) throw error;
      return { message: describeError(error) };
    } finally {
      over = true;
      clearTimeout(timer);
    }
  }

  #sign({ method, bucket, key, query, sha256 }: S3Request): ReturnType<AwsV4Signer["sign"]> {
    const { endpoint, accessKey, secretKey, region } = this.#settings;
    const path = key === undefined ? "" : `/${key.split("/").map(encodeURIComponent).join("/")}`;
    const url = new URL(`${endpoint}/${encodeURIComponent(bucket)}${path}`);
    for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value);
    const signer = new AwsV4Signer({
      method,
      url: url.toString(),
      accessKeyId: accessKey,
      secretAccessKey: secretKey,
      region,
      service: "s3",
      headers: sha256 === undefined ? {} : { "X-Amz-Content-Sha256": sha256 },
    });
    return signer.sign();
  }
}

/** The same content, which tells how many of its bytes have been taken, as they are. */
function watched(body: Blob, taken: (bytes: number) => void): Blob {
  let bytes = 0;
  const count = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      bytes += chunk.byteLength;
      taken(bytes);
      controller.enqueue(chunk);
    },
  });
  return Object.defineProperty(body.slice(), "stream", { value: () => body.stream().pipeThrough(count) });
}

const ENTITIES: Record<string, string> = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&" };

/** Contents of all elements of a name in the flat XML of a store's answers. */
function tagsIn(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, "g"))].map(([, text = ""]) =>
    text.replace(/&\w+;/g, (entity) => ENTITIES[entity] ?? entity),
  );
}
