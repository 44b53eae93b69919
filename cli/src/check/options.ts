import type { ArgsDef } from "citty";
import type { Server } from "../api/ask.ts";
import { flagText, readServer, SERVER_ACCESS } from "../api/options.ts";
import type { Environment, Flags } from "../server/options.ts";

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
  ...SERVER_ACCESS,
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
} satisfies ArgsDef;

/**
 * Joins command line and environment, in this order of weight. An empty variable counts as not set.
 *
 * @throws {PlainError} for a missing value, an address that is none or a token that can be none
 */
export function readCheckOptions(flags: Flags, environment: Environment): CheckOptions {
  const command = "batuta check";
  return {
    blueprints: flagText(flags, "blueprints", command) ?? (environment["BLUEPRINTS_PATH"] || undefined),
    server: readServer(flags, environment, command),
    json: flags["json"] === true,
  };
}
