import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { packSends, queueProducer } from "../../../src/queue-producer.ts";

const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));

describe("bodies packed into sends", () => {
  const body = fc.record({
    text: fc.string({ unit: "grapheme", maxLength: 2_000 }),
    many: fc.integer({ min: 1, max: 20 }),
  });

  test("are all there, in order, and each send is one the platform takes", () => {
    fc.assert(
      fc.property(fc.array(body, { maxLength: 250 }), (shapes) => {
        const bodies = shapes.map(({ text, many }) => ({ text: text.repeat(many) }));
        fc.pre(bodies.every((one) => bytesOf(one) <= 120_000));
        const sends = packSends(bodies, JSON.stringify);
        expect(sends.flat()).toEqual(bodies);
        for (const send of sends) {
          expect(send.length).toBeGreaterThan(0);
          expect(send.length).toBeLessThanOrEqual(100);
          expect(send.reduce((sum, one) => sum + bytesOf(one) + 100, 0)).toBeLessThanOrEqual(256_000);
        }
      }),
      { numRuns: 30 },
    );
  });

  test("are refused when one is too large, with what to do about it", () => {
    expect(() => packSends([{ text: "ü".repeat(60_001) }], JSON.stringify)).toThrow(
      /may have 120000: .*send a reference/,
    );
  });
});

describe("a producer", () => {
  test("sends to the platform's queue, as JSON and with the delay", async () => {
    const sendBatch = vi.fn(async () => {});
    const env = { DISPATCH_QUEUE: { sendBatch } as unknown as Queue };
    await queueProducer(env, "dispatch").send([{ n: 1 }], { delaySeconds: 3 });
    expect(sendBatch).toHaveBeenCalledWith([{ body: { n: 1 }, contentType: "json" }], { delaySeconds: 3 });
  });

  test("has no more than five sends under way", async () => {
    let [underWay, most] = [0, 0];
    const sendBatch = vi.fn(async () => {
      most = Math.max(most, (underWay += 1));
      await Promise.resolve();
      underWay -= 1;
    });
    const env = { HISTORY_QUEUE: { sendBatch } as unknown as Queue };
    await queueProducer(env, "history").send(Array.from({ length: 1_150 }, (_, n) => ({ n })));
    expect([sendBatch.mock.calls.length, most]).toEqual([12, 5]);
  });

  test("sends nothing when there is nothing to send", async () => {
    await queueProducer({}, "dispatch").send([]);
  });

  test("without a queue says what to bind", async () => {
    await expect(queueProducer({}, "history").send([{}])).rejects.toThrow(
      "neither HISTORY_QUEUE nor LOCAL_QUEUES is bound",
    );
  });
});
