import { createHash } from "node:crypto";
import { html, raw } from "hono/html";
import type { HtmlEscapedString } from "hono/utils/html";
import { MAX_COMMENT_CHARS } from "../limits.ts";
import { decisionLabel, personName, type Question, timeText } from "./question.ts";

export type Page = HtmlEscapedString | Promise<HtmlEscapedString>;

/** What the page of a link shows. Times are epoch ms. */
export interface QuestionPage extends Pick<
  Question,
  "jobId" | "blueprint" | "message" | "data" | "decisions" | "deciders" | "approvals" | "until"
> {
  readonly decider: string;
  /** How many have approved so far. */
  readonly approved: number;
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2128; --soft: #59636e; --paper: #f4f5f7; --card: #fff; --line: #ccd1d7; --go: #1a6b3c; --stop: #a8202d; --mark: #0b57d0; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ed; --soft: #a3adb8; --paper: #14171b; --card: #1d2126; --line: #3b434c; --go: #24794a; --stop: #ff8a8f; --mark: #8ab4f8; }
}
* { box-sizing: border-box; }
body { margin: 0; padding: 1rem; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 42rem; margin: 0 auto; padding: 1.25rem; background: var(--card); border: 1px solid var(--line); border-radius: 0.75rem; overflow-wrap: anywhere; }
h1 { margin: 0 0 0.75rem; font-size: 1.375rem; line-height: 1.25; }
.message { font-size: 1.125rem; white-space: pre-wrap; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.25rem 1rem; margin: 1rem 0; }
dt { color: var(--soft); }
dd { margin: 0; }
summary { cursor: pointer; padding: 0.5rem 0; }
pre { margin: 0 0 1rem; padding: 0.75rem; max-height: 24rem; overflow: auto; border: 1px solid var(--line); border-radius: 0.5rem; font: 0.875rem/1.45 ui-monospace, monospace; white-space: pre-wrap; }
label { display: block; margin-bottom: 0.25rem; }
textarea { display: block; width: 100%; min-height: 5rem; padding: 0.5rem; background: var(--card); color: inherit; border: 1px solid var(--soft); border-radius: 0.5rem; font: inherit; }
.decisions { display: flex; flex-wrap: wrap; gap: 0.75rem; margin-top: 1rem; }
button { flex: 1 1 8rem; min-height: 3rem; padding: 0.5rem 1rem; background: var(--card); color: inherit; border: 2px solid var(--soft); border-radius: 0.5rem; font: inherit; font-weight: 600; cursor: pointer; }
button[value="approved"] { background: var(--go); border-color: var(--go); color: #fff; }
button[value="rejected"] { border-color: var(--stop); color: var(--stop); }
:is(button, textarea, summary, pre):focus-visible { outline: 3px solid var(--mark); outline-offset: 2px; }
.note { color: var(--soft); }
`;

/** The page may show its own style and send its form back to where it came from, and nothing else. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(STYLE).digest("base64")}'`,
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Headers of every answer below a link: its address is a right, so it is neither kept nor passed on. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  "Cache-Control": "no-store",
  "Content-Security-Policy": CONTENT_SECURITY_POLICY,
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "X-Robots-Tag": "noindex, nofollow",
};

function layout(title: string, content: Page): Page {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex, nofollow" />
        <title>${title}</title>
        ${raw(`<style>${STYLE}</style>`)}
      </head>
      <body>
        <main>
          <h1>${title}</h1>
          ${content}
        </main>
      </body>
    </html> `;
}

function fact(name: string, value: string | Page): Page {
  return html`<dt>${name}</dt>
    <dd>${value}</dd> `;
}

function time(at: number): Page {
  return html`<time datetime="${new Date(at).toISOString()}">${timeText(at)}</time>`;
}

/** The question, with a comment and a button for each decision. Works without scripts; the form is posted to the page's own address. */
export function questionPage(page: QuestionPage): Page {
  const { decider, deciders, approvals, approved, data } = page;
  const named = deciders !== null || approvals > 1;
  return layout(
    "A decision is needed",
    html`<p class="message">${page.message}</p>
      ${
        data === null
          ? ""
          : html`<details open>
              <summary>Data</summary>
              <pre tabindex="0" aria-label="Data">${JSON.stringify(data, null, 2)}</pre>
            </details>`
      }
      <dl>
        ${fact("Process", page.blueprint)}${fact("Job", page.jobId)}${named ? fact("You decide as", personName(decider)) : ""}${
          approvals > 1 ? fact("Approvals", `${approved} of ${approvals} so far`) : ""
        }${page.until === null ? "" : fact("Open until", time(page.until))}
      </dl>
      <form method="post">
        <label for="comment">Comment (optional)</label>
        <textarea id="comment" name="comment" maxlength="${MAX_COMMENT_CHARS}"></textarea>
        <div class="decisions" role="group" aria-label="Your decision">
          ${page.decisions.map(
            (word) => html`<button name="decision" value="${word}">${decisionLabel(word)}</button> `,
          )}
        </div>
      </form>
      <p class="note">Your decision is final: this link works once.</p>`,
  );
}

/** A page that says one thing: what became of a decision, or why there is nothing to decide. */
export function plainPage(title: string, text: string): Page {
  return layout(title, html`<p>${text}</p>`);
}
