import { jsonObject, type JsonObject } from "@batuta/worker/protocol";
import { parse } from "toml";
import { z } from "zod";

/** A configuration text read into something usable, or all that is wrong with it, one line each. */
export type Parsed<T> = { ok: true; value: T } | { ok: false; error: string };

/** What a file of named tables is about: `clients.toml` holds a `client` in each table of the section `clients`. */
export interface FileKind {
  file: string;
  section: string;
  noun: string;
}

const table = jsonObject;

/**
 * Reads a TOML text of named tables, each by `schema`, in the order of the file. Both layouts are read, also side by
 * side: `[section.NAME]` and `[NAME]` (spec §8, reference F.2 and F.3).
 * Messages of the schema say `{table}` where the table is to be named. They must not quote values: one may be a secret.
 */
export function parseTables<T>(text: string, kind: FileKind, schema: z.ZodType<T>): Parsed<Map<string, T>> {
  const tables = readTables(text, kind);
  if (!tables.ok) return tables;
  const values = new Map<string, T>();
  const problems: string[] = [];
  for (const [name, fields] of tables.value) {
    const parsed = schema.safeParse(fields);
    if (parsed.success) values.set(name, parsed.data);
    else problems.push(...parsed.error.issues.map((issue) => issue.message.replace("{table}", nameTable(kind, name))));
  }
  return problems.length === 0 ? { ok: true, value: values } : { ok: false, error: problems.join("\n") };
}

/** How messages call a table: `client 'web' in clients.toml`. */
export function nameTable(kind: FileKind, name: string): string {
  return `${kind.noun} '${name}' in ${kind.file}`;
}

/** Reads a TOML text as it is, or says in which line it is wrong. */
export function readToml(text: string, { noun, file }: Pick<FileKind, "noun" | "file">): Parsed<JsonObject> {
  try {
    return { ok: true, value: table.parse(parse(text)) };
  } catch (error) {
    return {
      ok: false,
      error: `Invalid ${noun} configuration file: ${file}, ${describeSyntaxError(error)}. Correct the line; texts need quotes around them.`,
    };
  }
}

function readTables(text: string, kind: FileKind): Parsed<[name: string, fields: unknown][]> {
  const read = readToml(text, kind);
  if (!read.ok) return read;
  const top = read.value;
  const section = top[kind.section];
  const tables = isSection(section)
    ? Object.entries(top).flatMap((entry) => (entry[0] === kind.section ? Object.entries(section) : [entry]))
    : Object.entries(top);
  const names = tables.map(([name]) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return { ok: true, value: tables };
  return {
    ok: false,
    error: `Duplicate ${nameTable(kind, twice)}: it stands as [${twice}] and as [${kind.section}.${twice}], and only one can hold. Remove one of them.`,
  };
}

/** `[clients]` with tables only is the section; with a token of its own it is a client that happens to be called `clients`. */
function isSection(value: unknown): value is Record<string, unknown> {
  const section = table.safeParse(value);
  return section.success && Object.values(section.data).every((member) => table.safeParse(member).success);
}

const position = z.object({ line: z.number(), column: z.number() });
const grammarError = z.object({ location: z.object({ start: position }), found: z.string().nullable() });

/** The parser reports grammar errors and duplicate keys in two shapes. A single character of the text is quoted at most. */
function describeSyntaxError(error: unknown): string {
  const grammar = grammarError.safeParse(error);
  if (grammar.success) {
    const { location, found } = grammar.data;
    return `line ${location.start.line}, column ${location.start.column}: unexpected ${found === null ? "end of the file" : JSON.stringify(found)}`;
  }
  const place = position.safeParse(error);
  const message = error instanceof Error ? error.message.replace(/\.$/, "") : "not readable";
  return place.success ? `line ${place.data.line}, column ${place.data.column}: ${message}` : message;
}
