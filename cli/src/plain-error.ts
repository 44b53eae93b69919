/** An error of the user's world, not of the program: its message says what, why and what to do, and is shown without a stack. */
export class PlainError extends Error {
  override readonly name = "PlainError";
}

/**
 * Runs a command; a `PlainError` becomes its message on stderr and exit code 1, anything else is a bug and keeps its stack.
 */
export async function plainly(command: () => Promise<void>): Promise<void> {
  try {
    await command();
  } catch (error) {
    process.stderr.write(
      error instanceof PlainError
        ? `${error.message}\n`
        : `Batuta failed, and should not have: ${inspectError(error)}\n`,
    );
    process.exit(1);
  }
}

function inspectError(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** The code of a system error (`ENOENT`, `EACCES`, …), `undefined` for anything else. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

const REASONS: Record<string, string> = {
  ENOENT: "it does not exist",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EISDIR: "it is a folder, not a file",
  ENOTDIR: "a part of the path is a file, not a folder",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
};

/** Why a file operation failed, in words a user can act on. */
export function reasonOf(error: unknown): string {
  const code = systemCode(error);
  return (code === undefined ? undefined : REASONS[code]) ?? (error instanceof Error ? error.message : String(error));
}
