import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { checkBody, readJson, readJsonOrNothing, readOptionalJson } from "../../../src/http/body.ts";
import { Problem } from "../../../src/http/problem.ts";
import { BODY_READ_TIMEOUT_MS, MAX_BODY_BYTES, MAX_JSON_DEPTH } from "../../../src/limits.ts";

const encoder = new TextEncoder();

function post(body: BodyInit | null, headers: Record<string, string> = {}): Request {
  return new Request("https://batuta.test/", {
    method: "POST",
    body,
    headers,
    ...(body instanceof ReadableStream ? { duplex: "half" } : {}),
  });
}

/** A body that arrives in these pieces; what is pulled from it is counted. */
function streamed(
  pieces: Iterable<Uint8Array>,
  { ends = true } = {},
): { body: ReadableStream<Uint8Array>; state: { pulled: number; cancelled: boolean } } {
  const left = pieces[Symbol.iterator]();
  const state = { pulled: 0, cancelled: false };
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const { done, value } = left.next();
      state.pulled += 1;
      if (!done) controller.enqueue(value);
      else if (ends) controller.close();
    },
    cancel() {
      state.cancelled = true;
    },
  });
  return { body, state };
}

async function problemOf(attempt: Promise<unknown>): Promise<Pick<Problem, "status" | "code" | "message" | "details">> {
  try {
    await attempt;
  } catch (error) {
    if (error instanceof Problem)
      return { status: error.status, code: error.code, message: error.message, details: error.details };
    throw error;
  }
  throw new Error("No problem was thrown.");
}

afterEach(() => {
  vi.useRealTimers();
});

describe("a JSON body", () => {
  test.each(["{}", "[1]", "3", "null", '"text"', ' {"a": "ü😀"} \n'])("is read, of whatever kind: %s", async (text) => {
    expect(await readJson(post(text))).toEqual(JSON.parse(text));
  });

  test("is read whatever its content type says", async () => {
    expect(await readJson(post("{}", { "content-type": "image/png" }))).toEqual({});
  });

  test("is read when it comes byte by byte, characters cut in half included", async () => {
    const bytes = encoder.encode('{"a":"ü😀"}');
    expect(await readJson(post(streamed([...bytes].map((byte) => Uint8Array.of(byte))).body))).toEqual({ a: "ü😀" });
  });

  test("may begin with a byte order mark", async () => {
    expect(await readJson(post(Uint8Array.of(0xef, 0xbb, 0xbf, 0x7b, 0x7d)))).toEqual({});
  });
});

describe("a body that is not JSON", () => {
  test.each([
    ["no body", null, "The body is empty."],
    ["an empty body", "", "The body is empty."],
    ["white space", " \n", "The body is empty."],
    ["half of one", '{"a": ', expect.any(String)],
    ["something else", "<xml/>", expect.stringContaining("not valid JSON")],
    ["no UTF-8", Uint8Array.of(0x22, 0xff, 0x22), "The body cannot be read as UTF-8 text."],
    ["the beginning of a character", Uint8Array.of(0x22, 0xc3), "The body cannot be read as UTF-8 text."],
  ])("is answered 400 with the fault: %s", async (_, body, details) => {
    expect(await problemOf(readJson(post(body)))).toEqual({
      status: 400,
      code: "bad_json",
      message: "Invalid JSON body",
      details,
    });
  });

  test("is one whose lists and objects are nested deeper than any program walks", async () => {
    const nested = (depth: number) => `${'[{"[{":'.repeat(depth / 2)}"\\"[["${"}]".repeat(depth / 2)}`;
    expect(await readJson(post(nested(MAX_JSON_DEPTH)))).toHaveLength(1);
    for (const depth of [MAX_JSON_DEPTH + 2, 100_000]) {
      expect(await problemOf(readJson(post(nested(depth))))).toMatchObject({
        status: 400,
        code: "bad_json",
        details: "Lists and objects are nested more than 500 deep.",
      });
    }
  });

  test("counts as none where none is needed", () => {
    expect([readOptionalJson(""), readOptionalJson("{"), readOptionalJson('{"a":1}')]).toEqual([null, null, { a: 1 }]);
  });
});

describe("a body that may be empty", () => {
  test.each([null, "", " \n"])("is null when it is: %j", async (body) => {
    expect(await readJsonOrNothing(post(body))).toBeNull();
  });

  test("is still JSON when it is not", async () => {
    expect(await readJsonOrNothing(post('{"a":1}'))).toEqual({ a: 1 });
    expect(await problemOf(readJsonOrNothing(post("{")))).toMatchObject({ status: 400, code: "bad_json" });
  });
});

describe("a body that is too large", () => {
  const full = `"${"x".repeat(MAX_BODY_BYTES - 2)}"`;
  const answer = { status: 413, code: "body_too_large", message: expect.stringContaining("larger than 1048576 bytes") };

  test("is one with a single byte more than the limit", async () => {
    expect(await readJson(post(full))).toHaveLength(MAX_BODY_BYTES - 2);
    expect(await problemOf(readJson(post(`${full} `)))).toMatchObject(answer);
  });

  test("is not read at all when it says how long it is", async () => {
    const { body, state } = streamed([encoder.encode("{}")]);
    const before = state.pulled;
    expect(await problemOf(readJson(post(body, { "content-length": String(MAX_BODY_BYTES + 1) })))).toMatchObject(
      answer,
    );
    expect(state.pulled - before).toBeLessThanOrEqual(1);
  });

  test("is read no further than the limit when it does not say", async () => {
    const piece = new Uint8Array(64 * 1024).fill(0x20);
    const { body, state } = streamed(Array.from({ length: 1_000 }, () => piece));
    expect(await problemOf(readJson(post(body)))).toMatchObject(answer);
    expect(state.pulled).toBeLessThan(25);
    expect(state.cancelled).toBe(true);
  });

  test("is too large where a body is optional, too", async () => {
    expect(await problemOf(readJsonOrNothing(post(`${full} `)))).toMatchObject(answer);
  });
});

describe("a body that does not come to its end", () => {
  test("is waited for a limited time", async () => {
    vi.useFakeTimers();
    const { body } = streamed([encoder.encode('{"a":')], { ends: false });
    const answer = problemOf(readJson(post(body)));
    await vi.advanceTimersByTimeAsync(BODY_READ_TIMEOUT_MS);
    expect(await answer).toMatchObject({
      status: 408,
      code: "body_timeout",
      message: "The body did not arrive within 15 s.",
    });
  });

  test("leaves no timer behind when it does", async () => {
    vi.useFakeTimers();
    await readJson(post("{}"));
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a body with a schema", () => {
  const schema = z.object({ files: z.array(z.string()).min(1), quality: z.number().default(80) });

  test("is what the schema makes of it", () => {
    expect(checkBody(schema, { files: ["a"] }, "request")).toEqual({ files: ["a"], quality: 80 });
  });

  test("that does not fit is answered 400 with the path of each field that is wrong", async () => {
    const problem = await problemOf(
      Promise.resolve().then(() => checkBody(schema, { files: ["a", 3], quality: "high" }, "registration")),
    );
    expect(problem).toMatchObject({
      status: 400,
      code: "bad_request",
      message: expect.stringMatching(/^The registration is not valid: /),
    });
    expect(problem.details).toEqual([
      { path: "files.1", message: expect.any(String) },
      { path: "quality", message: expect.any(String) },
    ]);
  });
});
