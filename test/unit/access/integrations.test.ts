import { describe, expect, test } from "vitest";
import { parseIntegrations } from "../../../src/access/integrations.ts";

const SECRET = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;

function errorOf(text: string): string {
  const parsed = parseIntegrations(text);
  return parsed.ok ? "no error" : parsed.error;
}

test("each kind is read, in both layouts of the file", () => {
  const parsed = parseIntegrations(`
    [integrations.ops]
    kind = "slack"
    url = "https://hooks.slack.com/services/T/B/x"
    note = "passed over"
    [integrations.phone]
    kind = "telegram"
    token = "123:abc"
    chat_id = -1001234567890
    [integrations.test]
    kind = "telegram"
    token = "123:abc"
    chat_id = "@channel"
    api_url = "http://127.0.0.1:9000/"
    [crm]
    kind = "webhook"
    url = "https://crm.example/hook"
    secret = "${SECRET}"`);
  expect(parsed.ok && Object.fromEntries(parsed.value)).toEqual({
    ops: { kind: "slack", url: "https://hooks.slack.com/services/T/B/x" },
    phone: { kind: "telegram", token: "123:abc", chatId: "-1001234567890", apiUrl: "https://api.telegram.org" },
    test: { kind: "telegram", token: "123:abc", chatId: "@channel", apiUrl: "http://127.0.0.1:9000" },
    crm: { kind: "webhook", url: "https://crm.example/hook", secret: SECRET },
  });
});

test("an empty text has no integrations", () => {
  const parsed = parseIntegrations("");
  expect(parsed.ok && parsed.value.size).toBe(0);
});

const slack = (rest: string) => `[integrations.a]\nkind = "slack"\n${rest}`;
const telegram = (rest: string) => `[integrations.a]\nkind = "telegram"\n${rest}`;
const webhook = (rest: string) => `[integrations.a]\nkind = "webhook"\nurl = "https://x.example"\n${rest}`;

describe("a bad text is refused with file, integration, key and remedy", () => {
  test.each([
    ["a = 1", /^Invalid configuration for integration 'a' in integrations\.toml: an integration is a table/],
    ["[a]", /^Invalid kind for integration 'a' in integrations\.toml: write kind = "slack", "telegram" or "webhook"/],
    ["[a]\nkind = 'fax'", /^Invalid kind for integration 'a'/],
    [slack(""), /^Missing url for integration 'a' in integrations\.toml: add url = "https:\/\/hooks\.slack/],
    [slack("url = 5"), /^Invalid url for integration 'a'/],
    [slack("url = 'hooks.slack.com'"), /^Invalid url for integration 'a'.*no http or https address/],
    [slack("url = 'ftp://hooks.slack.com'"), /^Invalid url for integration 'a'.*no http or https address/],
    [telegram("chat_id = 5"), /^Missing token for integration 'a'/],
    [telegram("token = ''\nchat_id = 5"), /^Missing token for integration 'a'/],
    [telegram("token = 'a/b?c'\nchat_id = 5"), /^Invalid token for integration 'a'/],
    [telegram("token = '1:a'"), /^Invalid chat_id for integration 'a'.*chat_id = "@channel"/],
    [telegram("token = '1:a'\nchat_id = 1.5"), /^Invalid chat_id for integration 'a'/],
    [telegram("token = '1:a'\nchat_id = 1\napi_url = 'x'"), /^Invalid api_url for integration 'a'/],
    [webhook(""), /^Missing secret for integration 'a'/],
    [webhook("secret = 'whsec_short'"), /^Invalid secret for integration 'a'.*openssl rand/],
    [webhook(`secret = 'whsec_${"?".repeat(40)}'`), /^Invalid secret for integration 'a'/],
    ["[a]\nkind = slack", /^Invalid integration configuration file: integrations\.toml, line 2, column 8/],
  ])("%j", (text, message) => {
    expect(errorOf(text)).toMatch(message);
    expect(errorOf(text)).not.toContain("{table}");
  });

  test("all problems of all integrations are told at once", () => {
    expect(errorOf("[a]\nkind = 'telegram'\n[b]").split("\n")).toHaveLength(3);
  });

  test("no message quotes a secret", () => {
    for (const text of [
      telegram("token = 'hunter2/'\nchat_id = 1"),
      webhook("secret = 'hunter2'"),
      slack("url = 'hunter2'"),
      "[a]\nkind = 'hunter2'",
    ]) {
      expect(errorOf(text)).not.toContain("hunter2");
    }
  });
});
