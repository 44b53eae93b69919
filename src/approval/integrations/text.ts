import { personName, timeText, type Question } from "../question.ts";

/**
 * Escapes a text and cuts it, if need be, so that the result has `limit` characters at most and no half of an escape.
 * @param escape what becomes of one character
 */
export function escapeWithin(text: string, limit: number, escape: (character: string) => string): string {
  let kept = "";
  for (const character of text) {
    const escaped = escape(character);
    if (kept.length + escaped.length > limit) return cutShort(kept, limit);
    kept += escaped;
  }
  return kept;
}

const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

/** The three characters by which both Slack and Telegram know what is not text. */
export function escapeMarkup(character: string): string {
  return ESCAPES[character] ?? character;
}

/** Makes room for the sign that something is missing, without leaving half of an escape or of a character behind. */
function cutShort(kept: string, limit: number): string {
  if (kept.length < limit) return `${kept}…`;
  return `${kept.replace(/&[#\w]*;$|[\uD800-\uDBFF][\uDC00-\uDFFF]$|[\s\S]$/, "")}…`;
}

/** A question's data as people read it; null when there is none. */
export function dataText({ data }: Question): string | null {
  return data === null || Object.keys(data).length === 0 ? null : JSON.stringify(data, null, 2);
}

/** What a link's button says. */
export function linkLabel({ deciders, links }: Question, decider: string): string {
  return deciders === null && links.length === 1 ? "Decide" : `Decide as ${personName(decider)}`;
}

/** What else people should know: the lines below the question, none of them from outside. */
export function conditions({ approvals, until, decisions, decideAt, links }: Question): string[] {
  return [
    ...(approvals > 1 ? [`${approvals} different people must approve.`] : []),
    ...(until === null ? [] : [`Open until ${timeText(until)}.`]),
    ...(links.length === 0 ? [`Decide through the API (${decisions.join(", ")}): POST ${decideAt}`] : []),
  ];
}
