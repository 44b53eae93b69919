import { readFile } from "node:fs/promises";
import { type Request, Response } from "miniflare";
import { reasonOf } from "../plain-error.ts";
import type { Credentials } from "./credentials.ts";

/**
 * The service behind the Worker's `CONFIG_FILES` binding: the current text of the configuration files, read anew for each request,
 * so that an edited file counts without a restart.
 *
 * GET /clients, /workers, /integrations and /dispatch answer 200 with TOML, 404 when no such file was given, 500 with the reason when it
 * cannot be read. The header `X-File` names the file, percent-encoded.
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
    const headers = { "X-File": encodeURIComponent(file) };
    try {
      return new Response(await readFile(file, "utf8"), { headers });
    } catch (error) {
      return new Response(reasonOf(error), { status: 500, headers });
    }
  };
}
