import { createHmac } from "node:crypto";
import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import { signatureHeaders } from "../../../src/notices/signature.ts";

const NOW = Date.now();
const KEY = Buffer.from("0123456789abcdef0123456789abcdef");
const WHSEC = `whsec_${KEY.toString("base64")}`;

describe("a signature", () => {
  test("is the HMAC of id, time and body, as the standard defines it", () => {
    const headers = signatureHeaders(WHSEC, { id: "msg-1", at: 1_700_000_000_900, body: '{"a":1}' });
    const hmac = createHmac("sha256", KEY).update('msg-1.1700000000.{"a":1}').digest("base64");
    expect(headers).toEqual({
      "webhook-id": "msg-1",
      "webhook-timestamp": "1700000000",
      "webhook-signature": `v1,${hmac}`,
    });
  });

  test("is verified by the standard's own library, for either kind of secret", () => {
    fc.assert(
      fc.property(fc.json(), fc.uuid(), (body, id) => {
        const text = KEY.toString();
        expect(new Webhook(WHSEC).verify(body, signatureHeaders(WHSEC, { id, at: NOW, body }))).toEqual(
          JSON.parse(body),
        );
        expect(
          new Webhook(text, { format: "raw" }).verify(body, signatureHeaders(text, { id, at: NOW, body })),
        ).toEqual(JSON.parse(body));
      }),
    );
  });

  test("of a text is made with its characters as the key", () => {
    const text = KEY.toString();
    const signed = { id: "msg-1", at: NOW, body: "{}" };
    expect(signatureHeaders(text, signed)).toEqual(signatureHeaders(WHSEC, signed));
  });

  test("does not fit another id, time, body or secret", () => {
    const headers = signatureHeaders(WHSEC, { id: "msg-1", at: NOW, body: "{}" });
    const later = String(Number(headers["webhook-timestamp"]) + 1);
    const verify = (body: string, change: Record<string, string>, secret = WHSEC) =>
      new Webhook(secret).verify(body, { ...headers, ...change });
    expect(verify("{}", {})).toEqual({});
    expect(() => verify("{ }", {})).toThrow("No matching signature");
    expect(() => verify("{}", { "webhook-id": "msg-2" })).toThrow("No matching signature");
    expect(() => verify("{}", { "webhook-timestamp": later })).toThrow("No matching signature");
    expect(() => verify("{}", {}, WHSEC.replace("M", "N"))).toThrow("No matching signature");
  });
});
