import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { PAGE_HEADERS, plainPage, questionPage } from "../../../src/approval/page.ts";
import { aQuestion, HOSTILE, NOW } from "./questions.ts";

async function textOf(more: Partial<Parameters<typeof questionPage>[0]> = {}): Promise<string> {
  return String(await questionPage({ ...aQuestion(), decider: "link-1", approved: 0, ...more }));
}

describe("the page of a question", () => {
  test("has a button for each decision and a field for a comment, in a form without an address", async () => {
    const page = await textOf({ decisions: ["approved", "needs_changes"] });
    expect(page).toMatch(/^<!doctype html>\s*<html lang="en">/);
    expect(page).toContain('<form method="post">');
    expect(page).toContain('<button name="decision" value="approved">Approve</button>');
    expect(page).toContain('<button name="decision" value="needs_changes">Needs changes</button>');
    expect(page).toMatch(/<label for="comment">.*<\/label>\s*<textarea id="comment" name="comment" maxlength="2000">/);
  });

  test("shows blueprint, message, job and data", async () => {
    const page = await textOf({ data: { pictures: [1, 2] } });
    for (const text of [
      "Publish the sheet?",
      "<dd>publish</dd>",
      "<dd>job-1</dd>",
      "&quot;pictures&quot;: [\n    1,",
    ]) {
      expect(page).toContain(text);
    }
    expect(await textOf({ data: null })).not.toContain("<pre");
  });

  test("says who decides where that is more than whoever has the link", async () => {
    expect(await textOf()).not.toContain("You decide as");
    expect(await textOf({ deciders: ["ann"], decider: "ann" })).toMatch(/<dt>You decide as<\/dt>\s*<dd>ann<\/dd>/);
    const numbered = await textOf({ approvals: 2, decider: "link-2", approved: 1 });
    expect(numbered).toContain("<dd>Approver 2</dd>");
    expect(numbered).toContain("<dd>1 of 2 so far</dd>");
  });

  test("says until when", async () => {
    expect(await textOf({ until: NOW })).toContain(
      '<time datetime="2026-11-23T09:00:00.000Z">2026-11-23 09:00 UTC</time>',
    );
  });

  test("takes nothing from outside for HTML", async () => {
    const page = await textOf({
      blueprint: HOSTILE,
      message: HOSTILE,
      data: { [HOSTILE]: HOSTILE },
      jobId: HOSTILE,
      deciders: [HOSTILE],
      decider: HOSTILE,
      decisions: [HOSTILE],
    });
    expect(page).not.toMatch(/<script|<!channel|<https|"{{x}}"/);
    expect(page.match(/<button /g)).toHaveLength(1);
    expect(String(await plainPage(HOSTILE, HOSTILE))).not.toMatch(/<script|<!channel/);
  });

  test("loads nothing and runs nothing: its only style is the one that its policy names", async () => {
    const page = await textOf();
    expect(page).not.toMatch(/<script|<link|<img|<iframe|\son\w+=|\sstyle=|src=|url\(|@import/);
    const styles = [...page.matchAll(/<style>([\s\S]*?)<\/style>/g)].map(([, style = ""]) => style);
    expect(styles).toHaveLength(1);
    const hash = createHash("sha256")
      .update(styles[0] ?? "")
      .digest("base64");
    expect(PAGE_HEADERS["Content-Security-Policy"]).toBe(
      `default-src 'none'; style-src 'sha256-${hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
    );
  });
});
