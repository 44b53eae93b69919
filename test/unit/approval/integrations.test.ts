import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { describe, expect, test, vi } from "vitest";
import { chooseIntegration } from "../../../src/approval/integrations/choose.ts";
import { escapeMarkup, escapeWithin } from "../../../src/approval/integrations/text.ts";
import type { Question } from "../../../src/approval/question.ts";
import { aQuestion, HOSTILE, linksOf, NOW } from "./questions.ts";

const SLACK = "https://hooks.slack.com/services/T/B/secret";
const SECRET = `whsec_${Buffer.alloc(32, 9).toString("base64")}`;

const slack = chooseIntegration("ops", { kind: "slack", url: SLACK });
const telegram = chooseIntegration("phone", {
  kind: "telegram",
  token: "123:secret",
  chatId: "-100",
  apiUrl: "https://api.telegram.org",
});
const webhook = chooseIntegration("crm", { kind: "webhook", url: "https://crm.example/hook", secret: SECRET });

/** The one request an integration makes of a question, with its body read. */
function sent(integration: typeof slack, more: Partial<Question> = {}) {
  const requests = integration(aQuestion(more));
  const [request] = requests;
  if (request === undefined || requests.length > 1) throw new Error(`${requests.length} requests`);
  return { ...request, json: JSON.parse(request.body) };
}

describe("a Slack message", () => {
  test("has the question, its data, and a button with the link", () => {
    const { url, headers, json } = sent(slack);
    expect([url, headers]).toEqual([SLACK, { "Content-Type": "application/json" }]);
    expect(json).toEqual({
      text: "A decision is needed: Publish the sheet?",
      blocks: [
        {
          type: "section",
          text: { type: "mrkdwn", text: "*A decision is needed*\nPublish the sheet?", verbatim: true },
        },
        { type: "section", text: { type: "mrkdwn", text: '```\n{\n  "pictures": 3\n}\n```', verbatim: true } },
        { type: "context", elements: [{ type: "mrkdwn", text: "*publish*, job job-1", verbatim: true }] },
        {
          type: "actions",
          elements: [
            {
              type: "button",
              action_id: "decide-1",
              text: { type: "plain_text", text: "Decide", emoji: false },
              url: "https://batuta.example/_public/approvals/t1",
            },
          ],
        },
      ],
    });
  });

  test("has a button for each decider", () => {
    const { json } = sent(slack, { deciders: ["ann", "<ben>"], links: linksOf("ann", "<ben>") });
    const labels = json.blocks.at(-1).elements.map((button: { text: { text: string } }) => button.text.text);
    expect(labels).toEqual(["Decide as ann", "Decide as &lt;ben&gt;"]);
  });

  test("takes nothing from outside for markup", () => {
    const { json } = sent(slack, { message: HOSTILE, blueprint: HOSTILE, data: { [HOSTILE]: HOSTILE } });
    const text = JSON.stringify(json);
    expect(text).not.toMatch(/<script|<!channel|<https|[<>]/);
    expect(json.blocks[1].text.text.match(/```/g)).toHaveLength(2);
  });

  test("stays within what Slack takes, however long the texts are", () => {
    const long = "<&>".repeat(2_000);
    const { json } = sent(slack, {
      message: long,
      blueprint: long,
      data: { long },
      deciders: Array.from({ length: 20 }, (_, i) => `${i}${long}`),
      links: linksOf(...Array.from({ length: 20 }, (_, i) => `${i}${long}`)),
      decisions: [long],
      approvals: 2,
      until: NOW,
    });
    for (const block of json.blocks) {
      if (block.type === "section") expect(block.text.text.length).toBeLessThanOrEqual(3_000);
      if (block.type === "context") expect(block.elements[0].text.length).toBeLessThanOrEqual(2_000);
      if (block.type === "actions") {
        expect(block.elements).toHaveLength(20);
        for (const button of block.elements) expect(button.text.text.length).toBeLessThanOrEqual(75);
      }
    }
  });
});

describe("a Telegram message", () => {
  test("has the question, its data, and a button with the link", () => {
    const { url, json } = sent(telegram);
    expect(url).toBe("https://api.telegram.org/bot123:secret/sendMessage");
    expect(json).toEqual({
      chat_id: "-100",
      parse_mode: "HTML",
      text: '<b>A decision is needed</b>\nPublish the sheet?\n\n<pre>{\n  "pictures": 3\n}</pre>\n\npublish, job <code>job-1</code>',
      link_preview_options: { is_disabled: true },
      reply_markup: {
        inline_keyboard: [[{ text: "Decide", url: "https://batuta.example/_public/approvals/t1" }]],
      },
    });
  });

  test("takes nothing from outside for markup", () => {
    const { json } = sent(telegram, { message: HOSTILE, blueprint: HOSTILE, data: { [HOSTILE]: HOSTILE } });
    const tags = [...json.text.matchAll(/<[^>]*>/g)].map(([tag]) => tag);
    expect(tags).toEqual(["<b>", "</b>", "<pre>", "</pre>", "<code>", "</code>"]);
  });

  test("stays within 4,096 characters, however long the texts are", () => {
    const long = "<&>".repeat(2_000);
    const { json } = sent(telegram, { message: long, blueprint: long, data: { long }, decisions: [long], links: [] });
    const shown = json.text.replaceAll(/<[^>]*>/g, "").replaceAll(/&(amp|lt|gt);/g, "x");
    expect(shown.length).toBeLessThanOrEqual(4_096);
    expect(json).not.toHaveProperty("reply_markup");
  });

  test("says why there are no buttons when Telegram would refuse them, and the message with them", () => {
    const links = [{ decider: "link-1", url: "http://localhost:8080/_public/approvals/t", expiresAt: NOW }];
    const { json } = sent(telegram, { links });
    expect(json).not.toHaveProperty("reply_markup");
    expect(json.text).toContain("its host name has no dot");
  });
});

describe("a webhook", () => {
  test("has all there is to know", () => {
    const { url, json } = sent(webhook, { deciders: ["ann"], approvals: 1, until: NOW, links: linksOf("ann") });
    expect(url).toBe("https://crm.example/hook");
    expect(json).toEqual({
      event: "approval_needed",
      job_id: "job-1",
      blueprint: "publish",
      approval: {
        id: "job-1-3",
        message: "Publish the sheet?",
        data: { pictures: 3 },
        decisions: ["approved", "rejected"],
        deciders: ["ann"],
        approvals: 1,
        until: "2026-11-23T09:00:00.000Z",
      },
      links: [
        {
          decider: "ann",
          url: "https://batuta.example/_public/approvals/t1",
          expires_at: "2026-11-23T09:01:00.000Z",
        },
      ],
      decide_at: "https://batuta.example/_public/webhooks/approval/job-1",
      timestamp: "2026-11-23T09:00:00.000Z",
    });
  });

  test("is signed as Standard Webhooks asks, with one id however often it is sent", () => {
    vi.useFakeTimers({ now: NOW });
    const { headers, body } = sent(webhook);
    expect(new Webhook(SECRET).verify(body, headers)).toMatchObject({ job_id: "job-1" });
    expect(() => new Webhook(SECRET).verify(body.replace("publish", "publisj"), headers)).toThrow("signature");
    expect(sent(webhook, { sentAt: NOW + 60_000 }).headers["webhook-id"]).toBe(headers["webhook-id"]);
    vi.useRealTimers();
  });
});

describe.each([
  ["Slack", slack],
  ["Telegram", telegram],
])("%s", (_, integration) => {
  test("says how to decide where there are no links", () => {
    const { body } = sent(integration, { links: [] });
    expect(body).toContain(
      "Decide through the API (approved, rejected): POST https://batuta.example/_public/webhooks/approval/job-1",
    );
    expect(body).not.toContain("/_public/approvals/");
  });

  test("says how many must approve, and until when", () => {
    const { body } = sent(integration, { approvals: 2, until: NOW, links: linksOf("link-1", "link-2") });
    expect(body).toContain("2 different people must approve.");
    expect(body).toContain("Open until 2026-11-23 09:00 UTC.");
    expect(body).toContain("Decide as Approver 2");
  });

  test("leaves out data that there is none of", () => {
    for (const data of [null, {}]) expect(sent(integration, { data }).body).not.toMatch(/```|<pre>/);
  });
});

test("logs call an integration by its name and kind, and by nothing that is secret", () => {
  expect([slack, telegram, webhook].map((each) => sent(each).log)).toEqual([
    "integration 'ops' (slack)",
    "integration 'phone' (telegram)",
    "integration 'crm' (webhook)",
  ]);
});

test("an escaped text is cut to its limit, between characters and between escapes", () => {
  const text = fc.string({ unit: fc.constantFrom("<", "&", ">", "a", "é", "😀", ";") });
  fc.assert(
    fc.property(text, fc.integer({ min: 6, max: 40 }), (text, limit) => {
      const escaped = escapeWithin(text, limit, escapeMarkup);
      expect(escaped.length).toBeLessThanOrEqual(limit);
      expect(escaped).toMatch(/^(?:&(?:amp|lt|gt);|[aé;…]|😀)*$/u);
      const whole = [...text].map(escapeMarkup).join("");
      if (whole.length <= limit) expect(escaped).toBe(whole);
      else expect(whole.startsWith(escaped.slice(0, -1)) && escaped.endsWith("…")).toBe(true);
    }),
  );
});
