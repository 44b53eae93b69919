import { SourceMap } from "node:module";
import { relative, resolve, sep } from "node:path";
import { SOURCE_ROOT, type WorkerBundle } from "../bundle.ts";

const FRAME = /\/index\.js:(\d+):(\d+)/;

/**
 * Retells the exception that kept the Worker from starting for the person who wrote the blueprints: its message, and those of its
 * places that are in the blueprints, in their own lines.
 *
 * @param text as the runtime writes it, with places in the bundle
 */
export function explainStartException(text: string, { sourceMap }: Pick<WorkerBundle, "sourceMap">): string {
  const lines = text.split("\n");
  const message = lines.filter((line) => !isFrame(line)).join("\n");
  const map = new SourceMap(JSON.parse(sourceMap));
  const places = lines.filter(isFrame).flatMap((frame) => originalPlace(frame, map) ?? []);
  return [message.replace(/^Error: /, ""), ...new Set(places)].join("\n  at ");
}

function isFrame(line: string): boolean {
  return /^\s+at /.test(line);
}

function originalPlace(frame: string, map: SourceMap): string | undefined {
  const [, line, column] = FRAME.exec(frame) ?? [];
  if (line === undefined || column === undefined) return undefined;
  const entry = map.findEntry(Number(line) - 1, Number(column) - 1);
  if (!("originalSource" in entry)) return undefined;
  const file = resolve(SOURCE_ROOT, entry.originalSource);
  if (isOurs(file)) return undefined;
  return `${file}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
}

/** The Worker's own source and its libraries: where an error surfaced, not where it comes from. */
function isOurs(file: string): boolean {
  const inside = relative(SOURCE_ROOT, file);
  return ["src", "node_modules", "durable-objects", "worker-sdk"].includes(inside.split(sep, 1)[0] ?? "");
}
