import { z } from "zod";
import { jsonObject } from "./identifiers.ts";

const mark = z.string().max(1_024).nullish();

/**
 * What is known of a file: its address, its size in bytes, and marks of its content. A mark that is null or empty is not
 * known. `metadata` is its maker's own.
 */
export const fileMetadata = z.looseObject({
  uri: z.string().max(4_096).nullish(),
  size: z.int().nonnegative().nullish(),
  etag: mark,
  /** Hex. */
  sha256: mark,
  metadata: jsonObject.nullish(),
});
export type FileMetadata = z.infer<typeof fileMetadata>;

/**
 * `data_metadata` of a result or a create request, `params_metadata` of a task: each file by the keys that lead to its
 * address, such as `files.0`. An entry without a `uri` is of the file whose address is there.
 */
export const filesByKey = z.record(z.string(), fileMetadata);
export type FilesByKey = z.infer<typeof filesByKey>;

/** The keys that lead to a place in a JSON value, the last one first. `length` is that of {@link keyOf}. */
export interface Way {
  readonly key: string;
  readonly from: Way | null;
  readonly length: number;
}

/** The way in words, such as `files.0.path`. In a large value, those of all texts together may be gigabytes. */
export function keyOf(way: Way | null): string {
  const keys: string[] = [];
  for (let at = way; at !== null; at = at.from) keys.push(at.key);
  return keys.toReversed().join(".");
}

/** Shows all texts of a JSON value, however deep; `way` is null for one that is the value itself. */
export function eachText(value: unknown, see: (text: string, way: Way | null) => void, way: Way | null = null): void {
  if (typeof value === "string") return see(value, way);
  if (typeof value !== "object" || value === null) return;
  for (const [key, member] of Object.entries(value)) {
    const length = way === null ? key.length : way.length + 1 + key.length;
    eachText(member, see, { key, from: way, length });
  }
}
