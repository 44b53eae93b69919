import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { readConfiguration } from "../../../src/configuration.ts";
import type { Env } from "../../../src/env.ts";
import { type Outside, post } from "../../../src/notices/post.ts";

const NOW = Date.UTC(2026, 10, 22, 12);
const SETTINGS = readConfiguration({ ENVIRONMENT: "production" } as unknown as Env);
const URL_WITH_SECRET = "https://example.com/hook?token=hunter2";

const request = (url = URL_WITH_SECRET) => ({
  url,
  headers: { "Content-Type": "application/json" },
  body: '{"a":1}',
  log: "example",
});

/** What comes of one try with a receiver that answers like this. */
function outcome(answer: Outside["fetch"], url?: string) {
  return post(request(url), SETTINGS, { fetch: answer, now: () => NOW });
}

const answering = (status: number, headers: Record<string, string> = {}) =>
  outcome(async () => new Response(null, { status, headers }));

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a try", () => {
  test("posts the body as it is, and follows no redirect", async () => {
    const fetch = vi.fn<Outside["fetch"]>(async () => new Response());
    await outcome(fetch);
    expect(fetch).toHaveBeenCalledExactlyOnceWith(
      URL_WITH_SECRET,
      expect.objectContaining({ method: "POST", redirect: "manual", body: '{"a":1}' }),
    );
  });

  test.each([200, 201, 204, 299])("that is answered %i has delivered", async (status) => {
    expect(await answering(status)).toEqual({ kind: "delivered", statusCode: status });
  });

  test.each([400, 401, 404, 429, 500, 503])("that is answered %i is to be made again", async (status) => {
    const error = `The receiver answered ${status}.`;
    expect(await answering(status)).toEqual({ kind: "not_yet", statusCode: status, error, retryAfter: null });
  });

  test.each([301, 302, 307, 308])("that is answered %i has failed, and says why", async (status) => {
    const location = { Location: "http://169.254.169.254/" };
    expect(await answering(status, location)).toMatchObject({
      kind: "not_yet",
      statusCode: status,
      error: expect.stringContaining("Redirects are not followed"),
    });
  });

  test("that is answered 410 is the last", async () => {
    expect(await answering(410)).toMatchObject({ kind: "failed", statusCode: 410 });
  });

  test("takes note of when to come back", async () => {
    expect(await answering(503, { "Retry-After": "90" })).toMatchObject({ retryAfter: 90 });
  });

  test("is given up after ten seconds", async () => {
    const silent: Outside["fetch"] = (_, { signal }) =>
      new Promise((_, reject) => {
        signal?.addEventListener("abort", () => reject(new Error("aborted")));
      });
    const pending = outcome(silent);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await pending).toEqual({
      kind: "not_yet",
      statusCode: null,
      error: "There was no answer within 10 s.",
      retryAfter: null,
    });
  });

  test("leaves no timer behind", async () => {
    await answering(200);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("to a private address is not made", async () => {
    const fetch = vi.fn<Outside["fetch"]>();
    expect(await outcome(fetch, "https://10.0.0.1/")).toMatchObject({ kind: "refused", statusCode: null });
    expect(fetch).not.toHaveBeenCalled();
  });
});

describe("nothing secret is kept", () => {
  test("of what a receiver says: its body is not read", async () => {
    const cancel = vi.fn();
    const body = new ReadableStream({ pull: (stream) => stream.enqueue(new TextEncoder().encode("hunter2")), cancel });
    expect(JSON.stringify(await outcome(async () => new Response(body, { status: 500 })))).not.toContain("hunter2");
    expect(cancel).toHaveBeenCalledOnce();
  });

  test("of an error that quotes the address, which is cut short as well", async () => {
    const { error } = (await outcome(async () => {
      throw new TypeError(`Cannot load ${URL_WITH_SECRET}. ${"x".repeat(1_000)}`);
    })) as { error: string };
    expect(error).toMatch(/^The request failed: Cannot load … x+$/);
    expect(error.length).toBeLessThan(250);
  });
});
