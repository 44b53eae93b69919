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

/** A text somewhere in a JSON value, with the keys that lead to it, such as `files.0.path`. */
export interface FoundText {
  readonly at: string;
  readonly text: string;
}

/** All texts of a JSON value, however deep. */
export function textsIn(value: unknown, path: readonly string[] = []): FoundText[] {
  if (typeof value === "string") return [{ at: path.join("."), text: value }];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => textsIn(member, [...path, key]));
}
