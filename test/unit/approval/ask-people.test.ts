import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { readLink } from "../../../src/approval/link.ts";
import { readConfiguration } from "../../../src/configuration.ts";
import type { Env } from "../../../src/env.ts";
import { IntegrationError, requestsFor } from "../../../src/notices/ask-people.ts";
import type { QuestionNotice } from "../../../src/notices/messages.ts";
import { NOW } from "./questions.ts";

const SIGNING_SECRET = "sixteen characters";
const PUBLIC_URL = "https://batuta.example";
const INTEGRATIONS_TOML = `
[integrations.crm]
kind = "webhook"
url = "https://crm.example/hook"
secret = "whsec_${Buffer.alloc(24, 1).toString("base64")}"
[integrations.phone]
kind = "telegram"
token = "123:bot-secret"
chat_id = 5
`;

const NOTICE: QuestionNotice = {
  v: 1,
  kind: "ask_people",
  id: "job-1-3",
  job_id: "job-1",
  client: "alice",
  blueprint: "publish",
  integration: "crm",
  message: "Publish?",
  decisions: ["approved", "rejected"],
  deciders: null,
  approvals: 2,
  data: null,
  until: null,
};

/** Only what is configured is read. */
function ask(notice: Partial<QuestionNotice> = {}, variables: Record<string, string | undefined> = {}) {
  const env = { INTEGRATIONS_TOML, SIGNING_SECRET, PUBLIC_URL, ...variables } as unknown as Env;
  return requestsFor({ ...NOTICE, ...notice }, env, readConfiguration(env));
}

async function links(notice: Partial<QuestionNotice> = {}, variables: Record<string, string | undefined> = {}) {
  const [request] = await ask(notice, variables);
  const { links }: { links: { decider: string; url: string }[] } = JSON.parse(request?.body ?? "{}");
  return links;
}

let logged: string[];
beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
  logged = [];
  const take = (line: string) => logged.push(line);
  vi.spyOn(console, "log").mockImplementation(take);
  vi.spyOn(console, "error").mockImplementation(take);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("the links of a question", () => {
  test("are one for each person, and each gives the right to decide this question as that person", async () => {
    const made = await links({ deciders: ["ann", "ben"] });
    expect(made.map(({ decider }) => decider)).toEqual(["ann", "ben"]);
    for (const { decider, url } of made) {
      const token = url.replace(`${PUBLIC_URL}/_public/approvals/`, "");
      const right = { jobId: "job-1", waitId: "job-1-3", blueprint: "publish", decider };
      expect(readLink(SIGNING_SECRET, token, NOW)).toMatchObject({ ok: true, right });
    }
    expect(logged).toEqual([]);
  });

  test("are as many as approvals are needed when nobody is named", async () => {
    expect((await links()).map(({ decider }) => decider)).toEqual(["link-1", "link-2"]);
  });

  test.each([
    ["SIGNING_SECRET", { SIGNING_SECRET: undefined }],
    ["PUBLIC_URL", { PUBLIC_URL: undefined }],
  ])("are missing without %s, which a log line says", async (missing, variables) => {
    expect(await links({}, variables)).toEqual([]);
    expect(logged).toEqual([expect.stringContaining(`"missing":"${missing}"`)]);
    const [request] = await ask({ integration: "phone" }, variables);
    expect(request?.body).toContain("/_public/webhooks/approval/job-1");
  });
});

test("nobody is asked once it is too late", async () => {
  expect(await ask({ until: NOW + 1 })).toHaveLength(1);
  expect(await ask({ until: NOW })).toEqual([]);
});

describe("a question that cannot be put to anybody", () => {
  test("because its integration is not configured says which there are", async () => {
    const error: unknown = await ask({ integration: "fax" }).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(IntegrationError);
    expect(String(error)).toMatch(
      /no integration 'fax' in integrations\.toml.*blueprint 'publish'.*\[integrations\.fax\].*crm, phone/,
    );
    await expect(ask({ integration: "fax" }, { INTEGRATIONS_TOML: "" })).rejects.toThrow("Those there are: none.");
  });

  test("because the configuration is bad leaves the particulars to the log", async () => {
    const failed = ask({}, { INTEGRATIONS_TOML: '[crm]\nkind = "webhook"\nsecret = "hunter2"' });
    await expect(failed).rejects.toThrow(/^integrations\.toml cannot be used, so nobody can be asked through it/);
    expect(logged.join("\n")).toContain("Invalid secret for integration 'crm'");
    expect(logged.join("\n")).not.toContain("hunter2");
  });
});

test("the bot's token is in the address only", async () => {
  const [request] = await ask({ integration: "phone" });
  expect(request?.url).toContain("bot-secret");
  expect(JSON.stringify([request?.log, request?.body, request?.headers])).not.toContain("bot-secret");
});
