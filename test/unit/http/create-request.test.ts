import { describe, expect, test } from "vitest";
import { readCreateRequest } from "../../../src/http/create-request.ts";
import { Problem } from "../../../src/http/problem.ts";
import { MAX_METADATA_BYTES } from "../../../src/limits.ts";

const NOW = Date.parse("2026-11-22T12:00:00Z");
const nothing = {
  metadata: null,
  webhookUrl: undefined,
  startAt: null,
  dispatchTimeoutSeconds: null,
  resultTimeoutSeconds: null,
};
const nothingElse = { initialData: null, ...nothing };
const read = (body: unknown) => readCreateRequest(body, NOW);

function problemOf(body: unknown): Pick<Problem, "status" | "code" | "details"> {
  try {
    read(body);
  } catch (error) {
    if (error instanceof Problem) return { status: error.status, code: error.code, details: error.details };
    throw error;
  }
  throw new Error("No problem was thrown.");
}

describe("a body", () => {
  test.each([
    ["an object", { files: ["a"] }],
    ["nothing", null],
    ["a list", [1]],
    ["an envelope's member without initial_data", { metadata: { a: 1 } }],
    ["an envelope with something else in it", { initial_data: { a: 1 }, files: ["a"] }],
  ])("is the input itself: %s", (_, body) => {
    expect(read(body)).toEqual({ initialData: body, ...nothing });
  });

  test("is an envelope when initial_data is in it and nothing but an envelope's members", () => {
    expect(read({ initial_data: { a: 1 } })).toEqual({ initialData: { a: 1 }, ...nothing });
    expect(
      read({
        initial_data: { a: 1 },
        metadata: { order: 7 },
        webhook_url: "https://example.com/hook",
        start_at: "2026-11-22T14:00:00+01:00",
        dispatch_timeout: 60,
        result_timeout: 0.5,
        security: { anything: true },
      }),
    ).toEqual({
      initialData: { a: 1 },
      metadata: { order: 7 },
      webhookUrl: "https://example.com/hook",
      startAt: NOW + 3_600_000,
      dispatchTimeoutSeconds: 60,
      resultTimeoutSeconds: 0.5,
    });
  });

  test("may say what is known of the files its input names", () => {
    const data_metadata = { file: { size: 3 }, "list[0].at": { etag: "e" }, other: { uri: "s3://b/k", sha256: "f" } };
    const initial_data = { file: "s3://a/f", list: [{ at: "s3://a/g" }] };
    expect(read({ initial_data, data_metadata })).toEqual({
      initialData: initial_data,
      ...nothing,
      files: { "s3://a/f": { size: 3 }, "s3://a/g": { etag: "e" }, "s3://b/k": { sha256: "f" } },
    });
    // A repeated request is told by all of its members: those of before must have no new one.
    expect(Object.keys(read({ initial_data, data_metadata: null }))).toEqual(Object.keys(nothingElse));
    expect(Object.keys(read(initial_data))).toEqual(Object.keys(nothingElse));
  });

  test.each([
    ["a size that is none", { f: { uri: "s3://a/f", size: -1 } }, "data_metadata.f.size"],
    ["no object", { f: "s3://a/f" }, "data_metadata.f"],
    ["no file", { lost: { size: 1 } }, "data_metadata.lost"],
  ])("must say of files what can be: %s", (_, data_metadata, path) => {
    expect(problemOf({ initial_data: { f: "x" }, data_metadata })).toMatchObject({
      status: 400,
      details: [{ path }],
    });
  });

  test("may say no more of files than a job can keep", () => {
    const sha256 = "f".repeat(64);
    const many = Array.from({ length: 4_000 }, (_, i) => [`f${i}`, { uri: `s3://a/${i}`, sha256 }]);
    expect(problemOf({ initial_data: {}, data_metadata: Object.fromEntries(many) })).toMatchObject({ status: 413 });
  });

  test("may say null for what it does not want", () => {
    const body = {
      initial_data: {},
      metadata: null,
      webhook_url: null,
      start_at: null,
      dispatch_timeout: null,
      result_timeout: null,
      security: null,
    };
    expect(read(body)).toEqual({ initialData: {}, ...nothing, webhookUrl: null });
  });
});

describe("an envelope is refused with the member that is wrong", () => {
  test.each([
    ["start_at", "tomorrow"],
    ["start_at", "2026-11-22"],
    ["start_at", "2026-11-22T14:00:00"],
    ["start_at", 1_795_000_000_000],
    ["start_at", "2027-11-24T00:00:00Z"],
    ["metadata", "label"],
    ["metadata", ["label"]],
    ["webhook_url", 7],
    ["dispatch_timeout", 0],
    ["dispatch_timeout", "60"],
    ["result_timeout", -1],
    ["result_timeout", 1e12],
  ])("%s: %j", (path, value) => {
    expect(problemOf({ initial_data: {}, [path]: value })).toEqual({
      status: 400,
      code: "bad_request",
      details: [{ path, message: expect.any(String) }],
    });
  });

  test("metadata over the limit is 413, at the limit it is taken", () => {
    const metadata = (bytes: number) => ({ initial_data: {}, metadata: { text: "x".repeat(bytes - 11) } });
    expect(read(metadata(MAX_METADATA_BYTES)).metadata).not.toBeNull();
    expect(problemOf(metadata(MAX_METADATA_BYTES + 1))).toMatchObject({ status: 413, code: "body_too_large" });
  });

  test("a time within a year is not too far, nor is one in the past", () => {
    expect(read({ initial_data: {}, start_at: "2027-11-22T12:00:00Z" }).startAt).toBe(
      Date.parse("2027-11-22T12:00:00Z"),
    );
    expect(read({ initial_data: {}, start_at: "1999-01-01T00:00:00Z" }).startAt).toBe(Date.UTC(1999, 0, 1));
  });
});
