import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { callsOf, messagesOf } from "../../../src/dispatch/pack-offers.ts";
import { jsonBytes } from "../../../src/job/state-history.ts";
import { MAX_CALL_BYTES, MAX_QUEUE_MESSAGE_BYTES, OFFERS_PER_CALL } from "../../../src/limits.ts";
import { offerFor } from "../../support/dispatch-builders.ts";

const offer = (params: unknown, files = 0) => ({
  ...offerFor("t"),
  params,
  ...(files > 0 && { paramsMetadata: { f: { uri: "s3://b/k", size: 1, owner: "o".repeat(files) } } }),
});

describe("offers on their way to a shard", () => {
  test("of large params and files are no more than one call carries", () => {
    const offers = Array.from({ length: 100 }, (_, i) => offer([i, "p".repeat(250_000)], 250_000));
    const calls = callsOf(offers);
    expect(calls.flat()).toEqual(offers);
    expect(Math.max(...calls.map(jsonBytes))).toBeLessThan(MAX_CALL_BYTES + 1_000);
    expect(calls.length).toBeLessThan(6);
    const { messages, large } = messagesOf("shard", offers);
    expect([messages, large.length]).toEqual([[], 100]);
  });

  test("are as few calls and messages as there can be, in order", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 150_000 }), { maxLength: 250 }), (sizes) => {
        const offers = sizes.map((size, i) => offer([i, "p".repeat(size)]));
        const calls = callsOf(offers);
        expect(calls.flat()).toEqual(offers);
        expect(calls.every((some) => some.length > 0 && some.length <= OFFERS_PER_CALL)).toBe(true);
        const { messages, large } = messagesOf("shard", offers);
        expect([...messages.flatMap((message) => message.offers), ...large]).toHaveLength(offers.length);
        for (const [i, message] of messages.entries()) {
          const bytes = jsonBytes(message);
          expect(bytes).toBeLessThanOrEqual(MAX_QUEUE_MESSAGE_BYTES);
          const next = messages[i + 1]?.offers[0];
          if (next !== undefined) expect(bytes + jsonBytes(next)).toBeGreaterThan(MAX_QUEUE_MESSAGE_BYTES - 200);
        }
      }),
      { numRuns: 20 },
    );
  });
});
