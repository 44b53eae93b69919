import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "toml";
import { z } from "zod";
import { DEFAULTS, type Environment } from "../server/options.ts";
import type { Server } from "./ask.ts";

const clientsFile = z.object({
  clients: z.record(z.string(), z.looseObject({ token: z.string().optional(), admin: z.boolean().default(false) })),
});

/**
 * The embedded server whose data folder is here, as its first operator: what is meant by a command that names no server.
 *
 * @param folder the working folder
 * @returns null when there is no such folder, or no operator with a plain token in its `clients.toml`
 */
export function localServer(environment: Environment, folder: string): Server | null {
  const file = join(folder, environment["BATUTA_DATA"] || DEFAULTS.data, "clients.toml");
  if (!existsSync(file)) return null;
  const parsed = clientsFile.safeParse(readToml(file));
  if (!parsed.success) return null;
  const operator = Object.values(parsed.data.clients).find(({ admin, token }) => admin && token !== undefined);
  if (operator?.token === undefined) return null;
  return { url: `http://127.0.0.1:${environment["API_PORT"] || DEFAULTS.port}`, token: operator.token };
}

function readToml(file: string): unknown {
  try {
    return parse(readFileSync(file, "utf8"));
  } catch {
    return null;
  }
}
