import { createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import { checkSignature } from "../../../src/access/message-signature.ts";
import { SeenMessages } from "../../../src/access/seen-messages.ts";

const NOW = 1_800_000_000_500;
const SECONDS = 1_800_000_000;
const TOKEN = "a worker's token";

const hmac = (canonical: string, token = TOKEN) => createHmac("sha256", token).update(canonical).digest("hex");
const canonical = `{"timestamp":${SECONDS},"worker_id":"w"}`;

function check(body: object, { isEvent = false, token = TOKEN, now = NOW } = {}) {
  return checkSignature(
    { text: JSON.stringify(body), body, isEvent, workerId: "w", keys: ["not this one", token] },
    now,
  );
}
const signedWith = (signature: unknown, more: object = {}) => ({
  worker_id: "w",
  timestamp: SECONDS,
  security: { signature, signer_id: "w" },
  ...more,
});

describe("a signed message", () => {
  test("is taken when the signature is made with the token it came with", () => {
    expect(check(signedWith(hmac(canonical)))).toEqual({ ok: true, signature: hmac(canonical) });
  });

  test("is known again however its signature is written", () => {
    expect(check(signedWith(hmac(canonical).toUpperCase()))).toEqual({ ok: true, signature: hmac(canonical) });
  });

  test("of Python's signing package is taken", () => {
    const text = String.raw`{"current_tasks":[],"metadata":{"b":true,"l":[null,15000000000000000],"n":1,"é😀":"ñ\n"},"security":{"signature":"d449ec37a296ec046e5e0a6598d4bbba9bc96b35b59fa3ad69ed75b9bbeaf280","signer_id":"w-1"},"status":"idle","timestamp":1800000000,"usage":{"cpu_load_percent":12.5,"ram_used_gb":1e-6},"worker_id":"w-1"}`;
    const message = { body: JSON.parse(text), isEvent: false, workerId: "w-1", keys: [TOKEN] };
    expect(checkSignature({ ...message, text }, NOW).ok).toBe(true);
    expect(checkSignature({ ...message, text: text.replace("[null,", "[ null ,") }, NOW).ok).toBe(true);
    expect(checkSignature({ ...message, text: text.replace("12.5", "12.6") }, NOW).ok).toBe(false);
  });

  test("that is an event may have passed others on its way", () => {
    const event = signedWith(hmac(canonical), { bubbling_chain: ["relay"] });
    expect(check(event, { isEvent: true }).ok).toBe(true);
    expect(check(event)).toEqual({ ok: false, error: "Invalid cryptographic signature" });
  });

  test.each([
    ["60 s late", 60, true],
    ["61 s late", 61, false],
    ["60 s early", -60, true],
    ["61 s early", -61, false],
  ])("that is %s", (_, seconds, taken) => {
    expect(check(signedWith(hmac(canonical)), { now: NOW + seconds * 1000 }).ok).toBe(taken);
  });

  test.each([
    [{ worker_id: "w" }, "Missing required timestamp for replay protection"],
    [signedWith("x", { timestamp: "now" }), "Missing required timestamp for replay protection"],
    [signedWith("x", { timestamp: SECONDS + 0.5 }), "Missing required timestamp for replay protection"],
    [signedWith("x", { timestamp: SECONDS - 61 }), "Message timestamp expired (replay protection)"],
    [{ worker_id: "w", timestamp: SECONDS }, "Missing required security context"],
    [signedWith("x", { security: null }), "Missing required security context"],
    [signedWith(undefined), "Missing required cryptographic signature"],
    [signedWith(""), "Missing required cryptographic signature"],
    [signedWith(null), "Missing required cryptographic signature"],
    [
      signedWith(hmac(canonical), { security: { signature: hmac(canonical), signer_id: "other" } }),
      "Message signer ID 'other' does not match worker ID 'w'",
    ],
    [signedWith("0".repeat(64)), "Invalid cryptographic signature"],
    [signedWith(hmac(canonical, "another token")), "Invalid cryptographic signature"],
    [signedWith(hmac(canonical), { load: 1 }), "Invalid cryptographic signature"],
  ])("is refused with its reason: %j", (body, error) => {
    expect(check(body)).toEqual({ ok: false, error });
  });
});

describe("messages that were seen", () => {
  let requests = 0;
  /** A message, brought by a request of its own unless one is named. */
  const sent = (signature: string, request = String(++requests)) => ({ signature, request });

  test("are known again as long as their time allows", () => {
    const seen = new SeenMessages(10);
    expect(seen.note(sent("a"), 0)).toBe(true);
    expect(seen.note(sent("a"), 119_999)).toBe(false);
    expect(seen.note(sent("a"), 120_000)).toBe(true);
  });

  test("may be the same for a moment", () => {
    const seen = new SeenMessages(10);
    expect([seen.note(sent("a"), 0, 5), seen.note(sent("a"), 4, 5), seen.note(sent("a"), 5, 5)]).toEqual([
      true,
      true,
      false,
    ]);
  });

  test("may come again with the request that brought them", () => {
    const seen = new SeenMessages(10);
    expect([seen.note(sent("a", "r"), 0), seen.note(sent("a", "r"), 1), seen.note(sent("a"), 2)]).toEqual([
      true,
      true,
      false,
    ]);
  });

  test("are forgotten, oldest first, when there are too many", () => {
    const seen = new SeenMessages(2);
    for (const signature of ["a", "b", "c"]) expect(seen.note(sent(signature), 0)).toBe(true);
    expect([seen.note(sent("c"), 1), seen.note(sent("a"), 1)]).toEqual([false, true]);
  });
});
