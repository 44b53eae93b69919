import { createHash } from "node:crypto";

/** Errors are stored cut at different places; what they begin with tells them apart. */
const COMPARED_CHARS = 300;

/** Bounds the work on a text from outside. */
const READ_CHARS = 4_000;

/** What differs from one job to the next although the fault is the same, in the order in which it is taken out. */
const NOISE: readonly (readonly [RegExp, string])[] = [
  // What follows a `?` or a `#` in an address.
  [/(\b[a-z][a-z0-9+.-]{0,20}:\/\/[^\s?#"'`]*)[?#][^\s"'`]*/gi, "$1"],
  // Quoted data. A single word in quotes names a field, a state or a task, which is what tells two faults apart.
  [/(?<!\w)(["'`])(?![a-z_$]+\1)(?:(?!\1)[^\n])*\1(?!\w)/gi, "$1#$1"],
  [/\b\d{4}-\d\d-\d\d(?:[t ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:z|[+-]\d\d:?\d\d)?)?\b/gi, "#"],
  [/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi, "#"],
  [/\b0x[0-9a-f]+\b/gi, "#"],
  [/(?<![\w.])\d+(?:[.,]\d+)*(?:e[+-]?\d+)?(?!\w)/gi, "#"],
  // Ids: long words with a number in them, so that `defaced` and `acknowledgement` stay words.
  [/\b(?=[a-f]*\d)[0-9a-f]{8,}\b/gi, "#"],
  [/\b(?=[a-z]*\d)[0-9a-z]{16,}\b/gi, "#"],
  [/\d+/g, "#"],
  // The sign of what was a number.
  [/(?<![\w#])[+-]#/g, "#"],
  [/\s+/g, " "],
];

/** The text without ids, numbers, times, quoted data and the queries of addresses. */
export function essenceOf(error: string): string {
  const essence = NOISE.reduce((text, [noise, instead]) => text.replace(noise, instead), error.slice(0, READ_CHARS));
  return essence.trim().slice(0, COMPARED_CHARS);
}

/**
 * A name for a kind of error: the same for texts that differ only in what they speak of.
 * @returns 16 hexadecimal digits. They are stored, so a change here parts old errors from new ones.
 */
export function fingerprint(error: string): string {
  return createHash("sha256").update(essenceOf(error)).digest("hex").slice(0, 16);
}
