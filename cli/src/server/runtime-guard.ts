import { accessSync, chmodSync, constants } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const GUARD = fileURLToPath(new URL("../../runtime/guarded-workerd.sh", import.meta.url));

/**
 * Makes Miniflare start the Workers runtime through a small script that ends it when this process is gone. Miniflare ends it on every
 * orderly way out; a SIGKILL of Node alone would leave it running, with the port and the data.
 *
 * Windows needs no guard: Node's children there are in a job object that ends with Node.
 */
export function guardRuntime(): void {
  if (process.platform === "win32" || process.env["MINIFLARE_WORKERD_PATH"] === GUARD || !isExecutable(GUARD)) return;
  process.env["BATUTA_WORKERD"] = process.env["MINIFLARE_WORKERD_PATH"] ?? runtimeBinary();
  process.env["MINIFLARE_WORKERD_PATH"] = GUARD;
}

/** The runtime that Miniflare brings and would start itself. */
function runtimeBinary(): string {
  const own = createRequire(import.meta.url);
  const miniflare = createRequire(own.resolve("miniflare"));
  const { default: path }: { default: string } = miniflare("workerd");
  return path;
}

/** Archives and some file systems lose the bit that makes a script executable. */
function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    try {
      chmodSync(path, 0o755);
      return true;
    } catch {
      return false;
    }
  }
}
