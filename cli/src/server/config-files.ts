import { readFile } from "node:fs/promises";
import { type Request, Response } from "miniflare";
import type { Credentials } from "./credentials.ts";

/**
 * The service behind the Worker's `CONFIG_FILES` binding: the current text of the configuration files, read anew for each request,
 * so that an edited file counts without a restart.
 *
 * GET /clients, /workers, /integrations and /dispatch answer 200 with TOML, 404 when there is no such file.
 */
export function configFileService({
  clientsFile,
  workersFile,
  integrationsFile,
  dispatchFile,
}: Credentials): (request: Request) => Promise<Response> {
  const files: Record<string, string | undefined> = {
    "/clients": clientsFile,
    "/workers": workersFile,
    "/integrations": integrationsFile,
    "/dispatch": dispatchFile,
  };
  return async (request) => {
    const file = files[new URL(request.url).pathname];
    if (file === undefined) return new Response(null, { status: 404 });
    try {
      return new Response(await readFile(file, "utf8"));
    } catch {
      return new Response(`Cannot read ${file}.`, { status: 500 });
    }
  };
}
