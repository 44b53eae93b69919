import { relative } from "node:path";
import type { BatutaServer } from "./index.ts";

/**
 * The one line a server prints: where it answers and where its state and credentials are, never the credentials themselves.
 *
 * @param folder working folder, to which paths are shortened
 */
export function readyLine(
  version: string,
  { url, credentials }: Pick<BatutaServer, "url" | "credentials">,
  data: string,
  folder: string,
): string {
  const shown = (path: string) => {
    const short = relative(folder, path);
    return short === "" ? "." : short.startsWith("..") ? path : short;
  };
  const { clientsFile, workersFile, workerTokenFile, integrationsFile, dispatchFile } = credentials;
  const places = [
    `data ${shown(data)}`,
    `clients ${shown(clientsFile)}`,
    ...(workersFile === undefined ? [] : [`workers ${shown(workersFile)}`]),
    ...(workerTokenFile === undefined ? [] : [`worker token ${shown(workerTokenFile)}`]),
    ...(integrationsFile === undefined ? [] : [`integrations ${shown(integrationsFile)}`]),
    ...(dispatchFile === undefined ? [] : [`dispatch ${shown(dispatchFile)}`]),
  ];
  return `Batuta ${version} ready on ${url} (${places.join(", ")})`;
}
