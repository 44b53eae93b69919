import type { ArgsDef } from "citty";
import { PlainError } from "../plain-error.ts";

/** What the embedded server needs to know; every path is taken from the working folder. */
export interface ServerOptions {
  /** Address to listen on. */
  host: string;
  /** Port to listen on; 0 takes any free one. */
  port: number;
  /** Folder that keeps everything: jobs, history, payloads, credentials made on the first start. */
  data: string;
  /** TOML file of clients; made in the data folder on the first start when absent. */
  clients?: string | undefined;
  /** TOML file of workers with tokens of their own. */
  workers?: string | undefined;
  /** TOML file of the channels by which people are asked. */
  integrations?: string | undefined;
  /** TOML file of the limits and shares of dispatch. */
  dispatch?: string | undefined;
  /** Module of blueprints; the deployment's own when absent. */
  blueprints?: string | undefined;
  /** Token shared by all workers; made in the data folder on the first start when this and `workers` are absent. */
  globalWorkerToken?: string | undefined;
  /** Signs approval links; made in the data folder on the first start when absent. */
  signingSecret?: string | undefined;
  /** Where people reach this server; `http://HOST:PORT` when absent. */
  publicUrl?: string | undefined;
  /** Write one line to stderr for each request. */
  logRequests: boolean;
  /** Settings handed to the Worker as they are (see `WORKER_VARIABLES`). */
  variables: Record<string, string>;
}

export const DEFAULTS: ServerOptions = {
  host: "127.0.0.1",
  port: 8080,
  data: ".batuta",
  logRequests: false,
  variables: {},
};

/** Settings of the Worker itself; the embedded server passes them on when the environment has them. */
const WORKER_VARIABLES = [
  "JOB_MAX_RETRIES",
  "MAX_TRANSITIONS_PER_JOB",
  "WORKER_TIMEOUT_SECONDS",
  "WORKER_POLL_TIMEOUT_SECONDS",
  "WORKER_HEALTH_CHECK_INTERVAL_SECONDS",
  "LEASE_SECONDS",
  "CANCEL_GRACE_SECONDS",
  "HANDLER_TIMEOUT_SECONDS",
  "JOB_RETENTION_DAYS",
  "HISTORY_RETENTION_DAYS",
  "REPUTATION_REWARD_SUCCESS",
  "REPUTATION_PENALTY_TASK_FAILURE",
  "REPUTATION_PENALTY_CONTRACT_VIOLATION",
  "REPUTATION_MIN_THRESHOLD",
  "SHARDS",
  "FORMER_SHARDS",
  "SPILL_AFTER_SECONDS",
  "WORKER_SIGNATURES",
  "ORCHESTRATOR_SECRET_KEY",
  "DISPATCH_VIA",
  "WEBHOOK_ALLOW_PRIVATE",
  "LOG_LEVEL",
  "LOG_FORMAT",
] as const;

export const SERVER_ARGUMENTS = {
  host: { type: "string", valueHint: "ADDRESS", description: `Address to listen on [API_HOST, ${DEFAULTS.host}]` },
  port: {
    type: "string",
    valueHint: "PORT",
    description: `Port to listen on, 0 for any free one [API_PORT, ${DEFAULTS.port}]`,
  },
  data: {
    type: "string",
    valueHint: "DIR",
    description: `Folder that keeps all state [BATUTA_DATA, ${DEFAULTS.data}]`,
  },
  clients: {
    type: "string",
    valueHint: "FILE",
    description: "Clients and their tokens, TOML [CLIENTS_CONFIG_PATH, DIR/clients.toml]",
  },
  workers: {
    type: "string",
    valueHint: "FILE",
    description: "Workers with tokens of their own, TOML [WORKERS_CONFIG_PATH]",
  },
  integrations: {
    type: "string",
    valueHint: "FILE",
    description: "Channels by which people are asked for decisions, TOML [INTEGRATIONS_CONFIG_PATH]",
  },
  dispatch: {
    type: "string",
    valueHint: "FILE",
    description: "Limits of task types and clients, and ramps of worker versions, TOML [DISPATCH_CONFIG_PATH]",
  },
  blueprints: {
    type: "string",
    valueHint: "FILE",
    description: "Module whose default export is a list of blueprints [BLUEPRINTS_PATH]",
  },
  "log-requests": { type: "boolean", description: "Write one line for each request to stderr [LOG_REQUESTS=true]" },
} satisfies ArgsDef;

/** Option values as the command line gives them: a string, a switch, or nothing. */
export type Flags = Record<string, unknown>;
export type Environment = Record<string, string | undefined>;

/**
 * Joins command line, environment and defaults, in this order of weight. An empty variable counts as not set.
 *
 * @throws {PlainError} for a missing value or a port that is none
 */
export function readServerOptions(flags: Flags, environment: Environment): ServerOptions {
  const value = (flag: string, variable: string) => flagText(flags, flag) ?? (environment[variable] || undefined);
  return {
    host: value("host", "API_HOST") ?? DEFAULTS.host,
    port: readPort(value("port", "API_PORT")),
    data: value("data", "BATUTA_DATA") ?? DEFAULTS.data,
    clients: value("clients", "CLIENTS_CONFIG_PATH"),
    workers: value("workers", "WORKERS_CONFIG_PATH"),
    integrations: value("integrations", "INTEGRATIONS_CONFIG_PATH"),
    dispatch: value("dispatch", "DISPATCH_CONFIG_PATH"),
    blueprints: value("blueprints", "BLUEPRINTS_PATH"),
    globalWorkerToken: environment["GLOBAL_WORKER_TOKEN"] || undefined,
    signingSecret: environment["SIGNING_SECRET"] || undefined,
    publicUrl: environment["PUBLIC_URL"] || undefined,
    logRequests: flags["log-requests"] === true || environment["LOG_REQUESTS"] === "true",
    variables: pickVariables(environment),
  };
}

/**
 * Refuses what the command does not know: a misspelt option must not be ignored in silence.
 *
 * @param rawArguments the command line after the command's name
 * @throws {PlainError} naming the first unknown one
 */
export function assertKnownArguments(
  rawArguments: string[],
  known: ArgsDef,
  positionals: string[],
  command = "batuta server",
): void {
  for (const argument of rawArguments) {
    // Without its value, which may be a secret.
    const [option, name] = /^--?(?:no-)?([^=]+)/.exec(argument) ?? [];
    if (name !== undefined && known[name] === undefined)
      throw new PlainError(`There is no option ${option}. See "${command} --help".`);
  }
  const [stray] = positionals;
  if (stray !== undefined)
    throw new PlainError(`"${command}" takes no ${JSON.stringify(stray)}. See "${command} --help".`);
}

function flagText(flags: Flags, flag: string): string | undefined {
  const value = flags[flag];
  if (value === undefined) return undefined;
  if (typeof value !== "string" || value === "")
    throw new PlainError(`--${flag} needs a value. See "batuta server --help".`);
  return value;
}

function readPort(text: string | undefined): number {
  if (text === undefined) return DEFAULTS.port;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535))
    throw new PlainError(`${JSON.stringify(text)} is no port. Give --port (or API_PORT) a number from 0 to 65535.`);
  return port;
}

function pickVariables(environment: Environment): Record<string, string> {
  return Object.fromEntries(WORKER_VARIABLES.flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])));
}
