import type { Integration } from "../integration.ts";
import { conditions, dataText, escapeMarkup, escapeWithin, linkLabel } from "./text.ts";

/** What Slack takes in one text of a section, of a button, and in the text shown in notifications. */
const MAX_SECTION_CHARS = 3_000;
const MAX_BUTTON_CHARS = 75;
const MAX_NOTIFICATION_CHARS = 300;
/** Of the question's data; the whole of it is on the page. */
const MAX_DATA_CHARS = 1_500;

function escaped(text: string, limit: number): string {
  return escapeWithin(text, limit, escapeMarkup);
}

/** `verbatim` keeps Slack from making links and mentions of what looks like them. */
function section(text: string) {
  return { type: "section", text: { type: "mrkdwn", text, verbatim: true } };
}

/** Three backticks would end the block early. */
function codeBlock(text: string): string {
  return `\`\`\`\n${escaped(text.replaceAll("```", "'''"), MAX_DATA_CHARS)}\n\`\`\``;
}

/** Asks in a Slack channel through an incoming webhook, with a button for each link. */
export function askInSlack(url: string, log: string): Integration {
  return (question) => {
    const { message, blueprint, jobId, links } = question;
    const data = dataText(question);
    const about = `*${escaped(blueprint, 200)}*, job ${escaped(jobId, 200)}`;
    const context = [about, ...conditions(question).map((line) => escaped(line, 500))].join("\n");
    const buttons = links.map((link, index) => ({
      type: "button",
      action_id: `decide-${index + 1}`,
      text: { type: "plain_text", text: escaped(linkLabel(question, link.decider), MAX_BUTTON_CHARS), emoji: false },
      url: link.url,
    }));
    const body = {
      text: `A decision is needed: ${escaped(message, MAX_NOTIFICATION_CHARS)}`,
      blocks: [
        section(`*A decision is needed*\n${escaped(message, MAX_SECTION_CHARS - 100)}`),
        ...(data === null ? [] : [section(codeBlock(data))]),
        { type: "context", elements: [{ type: "mrkdwn", text: context, verbatim: true }] },
        ...(buttons.length === 0 ? [] : [{ type: "actions", elements: buttons }]),
      ],
    };
    return [{ url, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), log }];
  };
}
