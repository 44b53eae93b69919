/** Members of a message that its signature does not cover. */
export const UNSIGNED_MEMBERS: readonly string[] = ["security", "_signature"];

/** Members of a task that its own signatures do not cover: the signatures. */
export const UNSIGNED_TASK_MEMBERS: readonly string[] = ["sig", "orchestrator_signature"];

/** How far the timestamp of a signed message may be from the receiver's clock, before and after. */
export const SIGNED_WITHIN_SECONDS = 60;

/** A number as it was written: a double does not hold every integer. */
class WrittenNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const WHOLE = /^-?\d+$/;

/**
 * The one text of a JSON message over which its signature is made (reference D.10): members in the order of their code
 * points, no space, members that are null left out, whole numbers without a fraction, other numbers in the shortest form.
 *
 * @param text the message as it came
 * @param omitted members of the message itself that the signature does not cover
 * @returns the text, or null when the message is not a JSON object
 */
export function canonicalJson(text: string, omitted: readonly string[]): string | null {
  let message: unknown;
  try {
    message = JSON.parse(text, (_key, value: unknown, context?: { source?: string }) =>
      typeof value === "number" ? new WrittenNumber(context?.source ?? String(value)) : value,
    );
  } catch {
    return null;
  }
  if (typeof message !== "object" || message === null) return null;
  if (Array.isArray(message) || message instanceof WrittenNumber) return null;
  return canonicalText(message, omitted);
}

/** The same text of a message that was read already, whose numbers are doubles. @param message what JSON can carry */
export function canonicalText(message: object, omitted: readonly string[]): string {
  return joinMembers(canonicalMembers(message).filter(([name]) => !omitted.includes(name)));
}

/** The members of a message as its canonical text has them, in order: the name, and the text of name and value. */
export function canonicalMembers(message: object): [name: string, text: string][] {
  const members: [string, string][] = [];
  for (const [name, value] of Object.entries(message)) {
    if (value !== null) members.push([name, `${JSON.stringify(name)}:${write(value)}`]);
  }
  return members.length < 2 ? members : members.toSorted(([one], [other]) => byCodePoint(one, other));
}

/** The canonical text that has these members. */
export function joinMembers(members: readonly (readonly [name: string, text: string])[]): string {
  let text = "";
  for (const [, member] of members) text += text === "" ? member : `,${member}`;
  return `{${text}}`;
}

function write(value: unknown): string {
  if (typeof value === "number") return writeNumber(String(value));
  if (value instanceof WrittenNumber) return writeNumber(value.text);
  if (Array.isArray(value)) return `[${value.map(write).join(",")}]`;
  if (typeof value === "object" && value !== null) return joinMembers(canonicalMembers(value));
  return JSON.stringify(value);
}

/** The order of UTF-8, which JavaScript's own is not beyond U+FFFF: there it has pairs of lower numbers. */
function byCodePoint(one: string, other: string): number {
  const length = Math.min(one.length, other.length);
  for (let i = 0; i < length; i += 1) {
    const [a, b] = [one.charCodeAt(i), other.charCodeAt(i)];
    if (a !== b) return isSurrogate(a) === isSurrogate(b) ? a - b : isSurrogate(a) ? 1 : -1;
  }
  return one.length - other.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}

function writeNumber(text: string): string {
  if (WHOLE.test(text)) return text === "-0" ? "0" : text;
  const value = Number(text);
  if (Number.isInteger(value)) return Math.abs(value) < 1e21 ? BigInt(value).toString() : String(value);
  // Python's writer goes over to exponents one decimal place earlier than JavaScript.
  return Math.abs(value) < 1e-5 ? value.toExponential() : String(value);
}
