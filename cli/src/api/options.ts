import type { ArgsDef } from "citty";
import { PlainError } from "../plain-error.ts";
import type { Environment, Flags } from "../server/options.ts";
import type { Server } from "./ask.ts";
import { localServer } from "./local-server.ts";

/** Options of all commands that ask a running server. */
export const SERVER_ACCESS = {
  url: {
    type: "string",
    valueHint: "URL",
    description: "Server to ask [BATUTA_URL, else the one whose data folder is here]",
  },
  token: { type: "string", valueHint: "TOKEN", description: "Token of a client of that server [BATUTA_TOKEN]" },
  json: { type: "boolean", description: "Print JSON" },
} satisfies ArgsDef;

/**
 * The server that is to be asked, from the command line, else the environment. An empty variable counts as not set.
 *
 * @returns null when no address is given
 * @throws {PlainError} for a missing value, an address that is none or a token that can be none
 */
export function readServer(flags: Flags, environment: Environment, command: string): Server | null {
  const url = flagText(flags, "url", command) ?? (environment["BATUTA_URL"] || undefined);
  const token = flagText(flags, "token", command) ?? (environment["BATUTA_TOKEN"] || undefined);
  return url === undefined ? null : { url: readUrl(url), token: readToken(token) };
}

/**
 * As {@link readServer}; without an address, the embedded server whose data folder is in the working folder.
 * @throws {PlainError} as {@link readServer}, and when there is no such server either
 */
export function requireServer(flags: Flags, environment: Environment, command: string, folder = process.cwd()): Server {
  const server = readServer(flags, environment, command) ?? localServer(environment, folder);
  if (server !== null) return server;
  throw new PlainError('Which server? Give its address with --url (or BATUTA_URL), such as "http://127.0.0.1:8080".');
}

/**
 * The text of an option; undefined when it is not given.
 * @throws {PlainError} when it is given without a value
 */
export function flagText(flags: Flags, flag: string, command: string): string | undefined {
  const value = flags[flag];
  if (value === undefined) return undefined;
  if (typeof value === "string" && value !== "") return value;
  throw new PlainError(`--${flag} needs a value. See "${command} --help".`);
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
      "The server answers its clients only. Give the token of one, for what concerns all clients one with admin = true, with --token or BATUTA_TOKEN.",
    );
  }
  if (/^[!-~]+$/.test(token)) return token;
  throw new PlainError("The token has spaces or other characters that no token has. Check --token (or BATUTA_TOKEN).");
}
