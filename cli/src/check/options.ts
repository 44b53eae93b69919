import type { ArgsDef } from "citty";
import { PlainError } from "../plain-error.ts";
import type { Environment, Flags } from "../server/options.ts";
import type { Server } from "./live-jobs.ts";

/** What `batuta check` needs to know. */
export interface CheckOptions {
  /** Module of blueprints; the deployment's own when absent. */
  readonly blueprints: string | undefined;
  /** Whose jobs to check against; null to look at the module alone. */
  readonly server: Server | null;
  readonly json: boolean;
}

export const CHECK_ARGUMENTS = {
  blueprints: {
    type: "string",
    valueHint: "FILE",
    description: "Module whose default export is a list of blueprints [BLUEPRINTS_PATH]",
  },
  url: {
    type: "string",
    valueHint: "URL",
    description: "Server whose running jobs would get these blueprints [BATUTA_URL]",
  },
  token: {
    type: "string",
    valueHint: "TOKEN",
    description: "Token of a client of that server with admin = true [BATUTA_TOKEN]",
  },
  json: { type: "boolean", description: "Print JSON" },
} satisfies ArgsDef;

/**
 * Joins command line and environment, in this order of weight. An empty variable counts as not set.
 *
 * @throws {PlainError} for a missing value, an address that is none or a token that can be none
 */
export function readCheckOptions(flags: Flags, environment: Environment): CheckOptions {
  const value = (flag: string, variable: string) => flagText(flags, flag) ?? (environment[variable] || undefined);
  const url = value("url", "BATUTA_URL");
  const token = value("token", "BATUTA_TOKEN");
  return {
    blueprints: value("blueprints", "BLUEPRINTS_PATH"),
    server: url === undefined ? null : { url: readUrl(url), token: readToken(token) },
    json: flags["json"] === true,
  };
}

function flagText(flags: Flags, flag: string): string | undefined {
  const value = flags[flag];
  if (value === undefined) return undefined;
  if (typeof value === "string" && value !== "") return value;
  throw new PlainError(`--${flag} needs a value. See "batuta check --help".`);
}

function readUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new PlainError(
      `${JSON.stringify(text)} is no address of a server. Give --url (or BATUTA_URL) one like https://batuta.example.com.`,
    );
  }
  if (url.username !== "" || url.password !== "") {
    throw new PlainError("The address must not carry a password. Give the token with --token or BATUTA_TOKEN.");
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, "");
}

/** Its characters are checked here, since fetch would repeat a token that it cannot send. */
function readToken(given: string | undefined): string {
  const token = given?.trim() ?? "";
  if (token === "") {
    throw new PlainError(
      "The server tells operators only what runs on it. Give the token of a client with admin = true with --token or BATUTA_TOKEN.",
    );
  }
  if (/^[!-~]+$/.test(token)) return token;
  throw new PlainError("The token has spaces or other characters that no token has. Check --token (or BATUTA_TOKEN).");
}
