import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseClients } from "../../../src/access/clients.ts";

function directory(text: string) {
  const parsed = parseClients(text);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

function errorOf(text: string): string {
  const parsed = parseClients(text);
  return parsed.ok ? "no error" : parsed.error;
}

describe("a client is found by its token", () => {
  test("in the layout with a section", () => {
    const found = directory(`
      [clients.production]
      token = "secret"
      plan = "premium"
      daily_quota = 10000
      [clients.production.params]
      max_file_size = 1073741824
      priority_boost = 1.5`).find("secret");
    expect(found).toEqual({
      name: "production",
      plan: "premium",
      admin: false,
      params: { max_file_size: 1073741824, priority_boost: 1.5 },
      quota: { limit: 10000, period: "day" },
      webhook: { url: null, signed: false },
    });
  });

  test("with the region where their tasks should run", () => {
    expect(directory(`[clients.shop]\ntoken = "t"\nregion = "weur"`).find("t")?.region).toBe("weur");
  });

  test("in Avtomatika's layout, whose quota is a monthly one", () => {
    const found = directory(`
      [premium_client]
      token = "user_token_vip"
      monthly_attempts = 100000
      [premium_client.params]
      languages = ["en", "de"]`).find("user_token_vip");
    expect(found).toEqual({
      name: "premium_client",
      plan: "unknown",
      admin: false,
      params: { languages: ["en", "de"] },
      quota: { limit: 100000, period: "month" },
      webhook: { url: null, signed: false },
    });
  });

  test("when both layouts stand in one file", () => {
    const clients = directory(`[clients.a]\ntoken = "1"\n[b]\ntoken = "2"`);
    expect([clients.find("1")?.name, clients.find("2")?.name]).toEqual(["a", "b"]);
  });

  test("when the client is itself called `clients`", () => {
    expect(directory(`[clients]\ntoken = "1"`).find("1")?.name).toBe("clients");
  });

  test("when the file holds the token's SHA-256 only", () => {
    const digest = createHash("sha256").update("secret").digest("hex");
    const clients = directory(`[clients.a]\ntoken_sha256 = "${digest.toUpperCase()}"`);
    expect(clients.find("secret")?.name).toBe("a");
    expect(clients.find(digest)).toBeUndefined();
  });

  test("and only by its own, whatever the tokens are", () => {
    const tokens = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 2, maxLength: 8 });
    fc.assert(
      fc.property(tokens, ([stranger = "", ...known]) => {
        const text = known.map((token, index) => `[clients.c${index}]\ntoken = ${tomlText(token)}`).join("\n");
        const clients = directory(text);
        expect(known.map((token) => clients.find(token)?.name)).toEqual(known.map((_, index) => `c${index}`));
        expect(clients.find(stranger)).toBeUndefined();
      }),
    );
  });
});

test("an empty text has no clients", () => {
  expect(directory("").find("anything")).toBeUndefined();
});

test("neither the token nor unknown keys are part of the client", () => {
  const client = directory(`[a]\ntoken = "secret"\nnote = "private"`).find("secret");
  expect(JSON.stringify(client)).not.toMatch(/secret|note|private/);
});

test("dates in params become texts and its tables plain objects, as in JSON", () => {
  const client = directory(`[a]\ntoken = "t"\nparams = { since = 2026-01-02T03:04:05Z, deep = { x = 1 } }`).find("t");
  expect(client?.params).toEqual({ since: "2026-01-02T03:04:05.000Z", deep: { x: 1 } });
  expect(Object.getPrototypeOf(client?.params["deep"])).toBe(Object.prototype);
});

describe("a client's webhooks", () => {
  const SECRET = "0123456789abcdefghijklmn";
  const text = `[a]\ntoken = "t"\nwebhook_url = "https://example.com/hook"\nwebhook_secret = "${SECRET}"\n[b]\ntoken = "u"`;

  test("go where the file says, and are signed with its secret, which is not part of the client", () => {
    const clients = directory(text);
    expect(clients.find("t")?.webhook).toEqual({ url: "https://example.com/hook", signed: true });
    expect(clients.webhookSecret("a")).toBe(SECRET);
    expect(JSON.stringify([clients.find("t"), clients.named("a")])).not.toContain(SECRET);
  });

  test("go nowhere by default", () => {
    const clients = directory(text);
    expect(clients.find("u")?.webhook).toEqual({ url: null, signed: false });
    expect(clients.webhookSecret("b")).toBeUndefined();
    expect(clients.webhookSecret("nobody")).toBeUndefined();
  });

  test.each([
    SECRET,
    "$ecret!with~all-the_ASCII-there-is",
    `whsec_${"A".repeat(32)}`,
    `whsec_${Buffer.alloc(25, 1).toString("base64")}`,
    `whsec_${Buffer.alloc(64, 255).toString("base64")}`,
  ])("may be signed with %s", (secret) => {
    expect(directory(`[a]\ntoken = "t"\nwebhook_secret = "${secret}"`).webhookSecret("a")).toBe(secret);
  });

  test.each([
    "",
    SECRET.slice(1),
    `whsec_${"A".repeat(28)}`,
    `whsec_${"A".repeat(33)}`,
    `whsec_${"A".repeat(31)}_`,
    `whsec_${"A".repeat(32)}==`,
    `${SECRET} with spaces`,
    `${SECRET}ü`,
  ])("are not signed with %j", (secret) => {
    const error = errorOf(`[a]\ntoken = "t"\nwebhook_secret = "${secret}"`);
    expect(error).toMatch(/^Invalid webhook_secret for client 'a' in clients\.toml: .*openssl/);
    if (secret !== "") expect(error).not.toContain(secret);
  });
});

test("a client is found by name, and is the same as by its token", () => {
  const clients = directory(`[a]\ntoken = "t"\nplan = "gold"`);
  expect(clients.named("a")).toEqual(clients.find("t"));
  expect(clients.named("toString")).toBeUndefined();
});

describe("a bad text is refused with file, client, key and remedy", () => {
  test.each([
    ["[clients.a]", /^Missing token for client 'a' in clients\.toml: .*Add token = /],
    ["[clients.a]\ntoken = ''", /^Missing token for client 'a' in clients\.toml/],
    ["[clients.a]\ntoken = 5", /^Invalid token type for client 'a' in clients\.toml: .*quotes/],
    ["[clients.a]\ntoken = 't'\ntoken_sha256 = 'abc'", /^Invalid token_sha256 for client 'a'.*64 hexadecimal digits/],
    [`[clients.a]\ntoken = 't'\ntoken_sha256 = '${"0".repeat(64)}'`, /^Two tokens for client 'a'.*Remove one/],
    ["[clients.a]\ntoken = 't'\ndaily_quota = '5'", /^Invalid quota type for client 'a'.*daily_quota = 10000/],
    ["[clients.a]\ntoken = 't'\ndaily_quota = true", /^Invalid quota type for client 'a'/],
    ["[clients.a]\ntoken = 't'\nmonthly_attempts = 1.5", /^Invalid quota type for client 'a'/],
    ["[clients.a]\ntoken = 't'\ndaily_quota = -1", /^Invalid quota type for client 'a'/],
    ["[clients.a]\ntoken = 't'\ndaily_quota = 1\nmonthly_attempts = 1", /^Two quotas for client 'a'.*Remove one/],
    ["[clients.a]\ntoken = 't'\nplan = 1", /^Invalid plan type for client 'a'/],
    ["[clients.a]\ntoken = 't'\nregion = 'europe'", /^Invalid region for client 'a'.*weur/],
    ["[clients.a]\ntoken = 't'\nadmin = 'yes'", /^Invalid admin type for client 'a'/],
    ["[clients.a]\ntoken = 't'\nparams = 1", /^Invalid params type for client 'a'/],
    ["[clients.a]\ntoken = 't'\nwebhook_secret = 5", /^Invalid webhook_secret for client 'a'/],
    ["[clients.a]\ntoken = 't'\nwebhook_url = 'example.com'", /^Invalid webhook_url for client 'a'.*whole address/],
    [
      "[clients.a]\ntoken = 't'\nwebhook_url = 'https://example.com'",
      /^Missing webhook_secret for client 'a' in clients\.toml: .*Add webhook_secret/,
    ],
    ["a = 1", /^Invalid configuration for client 'a' in clients\.toml: a client is a table/],
    ["[a]\ntoken = 't'\n[clients.a]\ntoken = 'u'", /^Duplicate client 'a'.*\[a\] and as \[clients\.a\]/],
    ["[a]\ntoken = 't'\n[b]\ntoken = 't'", /^Duplicate token for client 'b'.*client 'a' has the same/],
    ["[a]\ntoken = 't'\n[a]", /^Invalid client configuration file: clients\.toml, line 3, column 1: /],
    ["[a]\ntoken = t", /^Invalid client configuration file: clients\.toml, line 2, column 9: unexpected "t"/],
  ])("%j", (text, message) => {
    expect(errorOf(text)).toMatch(message);
  });

  test("all problems of all clients are told at once", () => {
    expect(errorOf("[a]\nadmin = 1\nplan = 2\n[b]").split("\n")).toHaveLength(3);
  });

  test("no message quotes a token", () => {
    for (const text of [
      `[a]\ntoken = hunter2`,
      `[a]\ntoken = "hunter2" x`,
      `[a]\ntoken = "hunter2"\n[b]\ntoken = "hunter2"`,
    ]) {
      expect(errorOf(text)).not.toContain("hunter2");
    }
  });
});

/** JSON escapes are TOML escapes, but for the DEL character, and lone surrogates are in neither. */
function tomlText(text: string): string {
  return JSON.stringify(text).replaceAll("\x7f", "\\u007f");
}
