import { describe, expect, test } from "vitest";
import { traceContext } from "../../../src/observability/trace-context.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";
const PARTS = /^00-([0-9a-f]{32})-([0-9a-f]{16})-01$/;

/** The trace and the span of what comes out. */
function partsOf(incoming: string | null): { trace: string; span: string } {
  const [, trace = "", span = ""] = PARTS.exec(traceContext(incoming).traceparent) ?? [];
  return { trace, span };
}

describe("the trace of a job", () => {
  test("is its caller's, with a span of its own", () => {
    const { trace, span } = partsOf(`00-${TRACE}-${SPAN}-01`);
    expect(trace).toBe(TRACE);
    expect(span).toMatch(/^[0-9a-f]{16}$/);
    expect(span).not.toBe(SPAN);
  });

  test("is a new one when there is no caller's", () => {
    const [one, other] = [partsOf(null), partsOf(null)];
    expect(one.trace).toMatch(/^[0-9a-f]{32}$/);
    expect(one.trace).not.toBe(other.trace);
    expect(one.span).not.toBe(other.span);
  });

  test.each([
    ["empty", ""],
    ["a word", "trace"],
    ["in capitals", `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ["too short", `00-${TRACE.slice(1)}-${SPAN}-01`],
    ["of a version without a meaning", `ff-${TRACE}-${SPAN}-01`],
    ["longer than its version allows", `00-${TRACE}-${SPAN}-01-more`],
    ["with a line break", `00-${TRACE}-${SPAN}-01\n`],
  ])("is a new one when the caller's is malformed: %s", (_, incoming) => {
    const { trace } = partsOf(incoming);
    expect(trace).toMatch(/^[0-9a-f]{32}$/);
    expect(trace).not.toBe(TRACE);
  });

  // The standard gives these no meaning: https://www.w3.org/TR/trace-context/#trace-id
  test("is a new one when the caller's is all zeros", () => {
    expect(partsOf(`00-${"0".repeat(32)}-${SPAN}-01`).trace).not.toBe("0".repeat(32));
  });
});
