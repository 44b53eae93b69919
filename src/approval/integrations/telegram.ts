import type { IntegrationSettings } from "../../access/integrations.ts";
import type { Integration } from "../integration.ts";
import { conditions, dataText, escapeMarkup, escapeWithin, linkLabel } from "./text.ts";

/** A message may have 4,096 characters, escapes not counted; these and the few other lines stay below it. */
const MAX_TEXT_CHARS = 2_000;
const MAX_DATA_CHARS = 1_000;

function escaped(text: string): string {
  return text.replaceAll(/[&<>]/g, escapeMarkup);
}

function cut(text: string, limit: number): string {
  return escapeWithin(text, limit, (character) => character);
}

/** Telegram refuses a whole message when one of its buttons leads to a name without a dot, such as `localhost`. */
function isTaken(url: string): boolean {
  return new URL(url).hostname.includes(".");
}

/** Asks in a Telegram chat through a bot, with a button for each link. The bot's token is in the URL: it goes to no log. */
export function askInTelegram(
  { token, chatId, apiUrl }: Extract<IntegrationSettings, { kind: "telegram" }>,
  log: string,
): Integration {
  return (question) => {
    const { message, blueprint, jobId, links } = question;
    const data = dataText(question);
    const buttons = links.filter((link) => isTaken(link.url));
    const text = [
      `<b>A decision is needed</b>\n${escaped(cut(message, MAX_TEXT_CHARS))}`,
      ...(data === null ? [] : [`<pre>${escaped(cut(data, MAX_DATA_CHARS))}</pre>`]),
      [
        `${escaped(cut(blueprint, 100))}, job <code>${escaped(jobId)}</code>`,
        ...conditions(question).map((line) => escaped(cut(line, 400))),
        ...(buttons.length === links.length
          ? []
          : ["There are no buttons, as Telegram takes no links to PUBLIC_URL: its host name has no dot."]),
      ].join("\n"),
    ].join("\n\n");
    const keyboard = buttons.map((link) => [{ text: cut(linkLabel(question, link.decider), 64), url: link.url }]);
    const body = {
      chat_id: chatId,
      text,
      parse_mode: "HTML",
      link_preview_options: { is_disabled: true },
      ...(keyboard.length === 0 ? {} : { reply_markup: { inline_keyboard: keyboard } }),
    };
    const headers = { "Content-Type": "application/json" };
    return [{ url: `${apiUrl}/bot${token}/sendMessage`, headers, body: JSON.stringify(body), log }];
  };
}
