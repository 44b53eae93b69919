import { z } from "zod";
import { IntegrityMismatchError } from "../errors.ts";
import type { TaskPayload } from "../protocol/index.ts";

/** What is known of a file: where it is, its size in bytes, and marks of its content. */
const fileMetadata = z.looseObject({
  uri: z.string().optional(),
  size: z.number().optional(),
  etag: z.string().optional(),
  sha256: z.string().optional(),
});
export type FileMetadata = z.infer<typeof fileMetadata>;

const metadataByKey = z.record(z.string(), z.unknown()).catch({});

/**
 * What the task says beforehand of one of its files (`params_metadata`): named by its address, or by the param it is in.
 * @param at keys that lead to the param, such as `files.0`
 */
export function expectedOf(task: TaskPayload, uri: string, at: string): FileMetadata | undefined {
  const entries = Object.entries(metadataByKey.parse(task["params_metadata"] ?? {}));
  for (const [key, value] of entries) {
    const metadata = fileMetadata.safeParse(value);
    if (metadata.success && (metadata.data.uri ?? key) === uri) return metadata.data;
  }
  const byParam = fileMetadata.safeParse(entries.find(([key]) => key === at)?.[1]);
  return byParam.success && byParam.data.uri === undefined ? byParam.data : undefined;
}

/** @throws IntegrityMismatchError when a file is not what the task says it is */
export function checkIntegrity(uri: string, expected: FileMetadata, found: FileMetadata): void {
  const differs = (name: "size" | "etag" | "sha256"): boolean =>
    expected[name] !== undefined && found[name] !== undefined && plain(expected[name]) !== plain(found[name]);
  for (const name of ["size", "etag", "sha256"] as const) {
    if (differs(name)) {
      throw new IntegrityMismatchError(
        `The file ${uri} is not the one the task means: its ${name} is ${plain(found[name])}, not ${plain(expected[name])}.`,
      );
    }
  }
}

/** Marks are quoted or not, and hex digits are of either case. */
function plain(mark: string | number | undefined): string {
  return String(mark).replace(/^W\//, "").replaceAll('"', "").toLowerCase();
}
