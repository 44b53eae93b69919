import { IntegrityMismatchError } from "../errors.ts";
import type { FileMetadata, TaskPayload } from "../protocol/index.ts";

/**
 * What the task says beforehand of one of its files (`params_metadata`): named by its address, or by the param it is in.
 * @param at keys that lead to the param, such as `files.0`
 */
export function expectedOf(task: TaskPayload, uri: string, at: string): FileMetadata | undefined {
  const entries = Object.entries(task.params_metadata ?? {});
  const byAddress = entries.find(([key, metadata]) => (metadata.uri ?? key) === uri);
  if (byAddress !== undefined) return byAddress[1];
  const byParam = entries.find(([key]) => key === at)?.[1];
  return byParam?.uri == null ? byParam : undefined;
}

/**
 * An ETag counts where no hash is known: it changes when a store is moved or restored, though the content is the same.
 * @throws IntegrityMismatchError when a file is not what the task says it is
 */
export function checkIntegrity(uri: string, expected: FileMetadata, found: FileMetadata): void {
  const hashed = plain(expected.sha256) !== "" && plain(found.sha256) !== "";
  for (const name of ["size", hashed ? "sha256" : "etag"] as const) {
    const [is, was] = [plain(found[name]), plain(expected[name])];
    if (is === "" || was === "" || is === was) continue;
    throw new IntegrityMismatchError(
      `The file ${uri} is not the one the task means: its ${name} is ${is}, not ${was}.`,
    );
  }
}

/** Marks are quoted or not, and hex digits are of either case. Empty: not known. */
function plain(mark: string | number | null | undefined): string {
  return String(mark ?? "")
    .replace(/^W\//, "")
    .replaceAll('"', "")
    .toLowerCase();
}
