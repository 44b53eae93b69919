import { describe, expect, test } from "vitest";
import { webhookTarget } from "../../../src/notices/target.ts";

const SETTINGS = { environment: "production", webhookAllowPrivate: false };
const OWN = "https://example.com/own";

const client = (url: string | null, signed: boolean) => ({ name: "alice", webhook: { url, signed } });

describe("a job's webhooks go", () => {
  test("where the request says", () => {
    const url = "https://example.com/asked";
    expect(webhookTarget(client(OWN, true), url, SETTINGS)).toEqual({ ok: true, url });
  });

  test("to the client's own address when the request says nothing", () => {
    expect(webhookTarget(client(OWN, true), undefined, SETTINGS)).toEqual({ ok: true, url: OWN });
  });

  test("nowhere when neither says anything, or the request says null", () => {
    expect(webhookTarget(client(null, false), undefined, SETTINGS)).toEqual({ ok: true, url: null });
    expect(webhookTarget(client(OWN, true), null, SETTINGS)).toEqual({ ok: true, url: null });
  });
});

describe("a job with a webhook is refused", () => {
  test("when its client has no secret to sign with, whoever named the address", () => {
    const error = expect.stringMatching(/the client 'alice' has no secret.*webhook_secret/);
    expect(webhookTarget(client(null, false), OWN, SETTINGS)).toEqual({ ok: false, error });
    expect(webhookTarget(client(OWN, false), undefined, SETTINGS)).toEqual({ ok: false, error });
  });

  test("when nothing is sent to its address", () => {
    for (const url of ["", "nonsense", "http://example.com/", "https://10.0.0.1/"]) {
      const error = expect.stringMatching(/^The webhook_url cannot be used\. /);
      expect(webhookTarget(client(null, true), url, SETTINGS)).toEqual({ ok: false, error });
      expect(webhookTarget(client(url, true), undefined, SETTINGS)).toEqual({ ok: false, error });
    }
  });
});
