import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { S3Client } from "../../../worker-sdk/src/payload/s3-client.ts";
import type { Runtime } from "../../../worker-sdk/src/runtime.ts";
import { S3_CREDENTIALS } from "../../support/fake-s3.ts";

const MIB = 1024 * 1024;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Requests that a test answers itself; one that is broken off rejects. */
class FakeStore {
  readonly requests: { body: Blob | undefined; signal: AbortSignal; answer: (response: Response) => void }[] = [];

  readonly fetch: Runtime["fetch"] = (_url, { body, signal }) =>
    new Promise((resolve, reject) => {
      if (!signal) throw new Error("A request has no signal.");
      signal.addEventListener("abort", () => reject(signal.reason));
      this.requests.push({ body: body instanceof Blob ? body : undefined, signal, answer: resolve });
    });

  client(): S3Client {
    const settings = { ...S3_CREDENTIALS, endpoint: "http://store", region: "r", defaultBucket: "b" };
    return new S3Client({ ...settings, scheme: "s3" }, { fetch: this.fetch, random: () => 0 });
  }

  /** The newest of so many requests, once it is there. */
  async request(count: number) {
    await vi.waitFor(() => expect(this.requests).toHaveLength(count), 10_000);
    const request = this.requests.at(-1);
    if (request === undefined) throw new Error("There is no request.");
    return request;
  }
}

const pass = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1_000);
const wanted = new AbortController().signal;
const put = (store: FakeStore, bytes: number) =>
  store.client().put("b", "k", new Blob([new Uint8Array(bytes)]), "hash", wanted);

describe("a transfer in which nothing moves", () => {
  it("is begun again when it brings something", async () => {
    const store = new FakeStore();
    const got = store.client().get("b", "k", (response) => response.text(), wanted);
    await store.request(1);
    await pass(59);
    expect(store.requests).toHaveLength(1);
    await pass(2);
    (await store.request(2)).answer(new Response("content"));
    expect(await got).toBe("content");
  });

  it("is begun again when it takes something, and given up after five times", async () => {
    const store = new FakeStore();
    const stored = put(store, 100).catch((error: unknown) => error);
    for (let attempt = 1; attempt <= 5; attempt++) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await store.request(attempt);
      // oxlint-disable-next-line no-await-in-loop
      await pass(61);
    }
    expect(await stored).toMatchObject({
      code: "TRANSIENT_ERROR",
      message: expect.stringContaining("Nothing moved for 60 s"),
    });
  });

  it("has a pace that is seen: a slow one goes on as long as it moves", async () => {
    const store = new FakeStore();
    const stored = put(store, 3 * MIB);
    const { body, signal, answer } = await store.request(1);
    const reader = body?.stream().getReader();
    let taken = 0;
    for (let chunk = await reader?.read(); chunk?.done === false; chunk = await reader?.read()) {
      taken += chunk.value.byteLength;
      // oxlint-disable-next-line no-await-in-loop -- it is to take its time
      await pass(55);
    }
    expect(taken).toBe(3 * MIB);
    // What was taken may still be on its way: three MiB, at 16 bytes a millisecond.
    await pass(190);
    expect(signal.aborted).toBe(false);
    answer(new Response(null, { headers: { ETag: '"e"' } }));
    expect(await stored).toBe('"e"');
    expect(vi.getTimerCount()).toBe(0);
  });

  it("may be on its way unseen, and is given the time of a slow line", async () => {
    const store = new FakeStore();
    const stored = put(store, 16 * MIB);
    const { signal, answer } = await store.request(1);
    await pass(1_000);
    expect(signal.aborted).toBe(false);
    answer(new Response(null));
    expect(await stored).toBeUndefined();
  });
});
