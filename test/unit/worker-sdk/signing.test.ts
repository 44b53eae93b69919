import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { checkSignature } from "../../../src/access/message-signature.ts";
import { signingFetch } from "../../../worker-sdk/src/http/signing.ts";

const NOW = 1_700_000_000_500;

/** What is sent in place of a body. */
async function sentFor(body: string, token = "secret"): Promise<string> {
  const fetch = vi.fn(async (_url: string, _init: RequestInit) => new Response());
  const signed = signingFetch(fetch, { workerId: "w", token, now: () => NOW });
  await signed("https://x", { method: "POST", body });
  return String(fetch.mock.calls[0]?.[1].body);
}

test("what the orchestrator checks is satisfied by what is sent, and by nothing else", async () => {
  await fc.assert(
    fc.asyncProperty(fc.dictionary(fc.string(), fc.jsonValue()), async (members) => {
      const { timestamp: _time, security: _security, _signature, ...own } = members;
      const plain = JSON.stringify(own);
      const text = await sentFor(plain);
      const body: unknown = JSON.parse(text);
      const message = { text, body, isEvent: false, workerId: "w", keys: ["secret"] };
      expect(body).toEqual({ ...JSON.parse(plain), security: expect.anything(), timestamp: 1_700_000_000 });
      expect(checkSignature(message, NOW)).toMatchObject({ ok: true });
      expect(checkSignature({ ...message, keys: ["other"] }, NOW)).toMatchObject({ ok: false });
      expect(checkSignature({ ...message, workerId: "v" }, NOW)).toMatchObject({ ok: false });
      expect(checkSignature(message, NOW + 62_000)).toMatchObject({ ok: false });
    }),
  );
});

test("requests without a body stay as they are", async () => {
  const fetch = vi.fn(async (_url: string, _init: RequestInit) => new Response());
  const init = { method: "GET" };
  await signingFetch(fetch, { workerId: "w", token: "secret", now: () => NOW })("https://x", init);
  expect(fetch).toHaveBeenCalledWith("https://x", init);
});
