import { join } from "node:path";
import type { MiniflareOptions } from "miniflare";
import { configFileService } from "./config-files.ts";
import type { Credentials } from "./credentials.ts";
import { gateScript, isLoopback } from "./gate.ts";
import type { ServerOptions } from "./options.ts";
import { MiniflareLog } from "./runtime-log.ts";

/** As in wrangler.toml; a test compares them. */
export const COMPATIBILITY_DATE = "2026-11-17";
export const COMPATIBILITY_FLAGS: string[] = ["no_web_socket_compression"];

/** Bindings of the Durable Object classes. `LOCAL_QUEUES` takes the place of the queues, which Miniflare keeps in memory only. */
export const OBJECTS = {
  JOBS: "JobObject",
  REGISTRY: "RegistryShard",
  CLIENTS: "ClientObject",
  SCHEDULES: "ScheduleObject",
  SETTINGS: "SettingsObject",
  LOCAL_QUEUES: "QueueObject",
} as const;

export const HISTORY_DATABASE = "HISTORY_DB";
export const WORKER = "batuta";
const GATE = "gate";

export interface EmbeddedWorker {
  code: string;
  credentials: Credentials;
  dataFolder: string;
  options: ServerOptions;
  /** Takes what the runtime and the Worker have to say, line by line. */
  log: (line: string) => void;
}

type WorkerOptions = MiniflareOptions["workers"][number];

/**
 * The Worker with all its bindings, for Miniflare.
 *
 * Requests arrive at a socket of the Worker's own ("direct"), not at Miniflare's entry: that one is three times slower, answers
 * errors with stack traces, and serves every R2 object to anyone under /cdn-cgi/local/r2/public. It stays on a random loopback port,
 * where Miniflare's own API uses it.
 */
export function embeddedWorker({ code, credentials, dataFolder, options, log }: EmbeddedWorker): {
  miniflare: MiniflareOptions;
  reachedAt: string;
} {
  const socket = { host: options.host, port: options.port };
  const gated = options.logRequests || !isLoopback(options.host);
  const app: WorkerOptions = {
    config: {
      name: WORKER,
      compatibilityDate: COMPATIBILITY_DATE,
      compatibilityFlags: COMPATIBILITY_FLAGS,
      manifest: manifest(dataFolder, code),
      env: {
        ...Object.fromEntries(
          Object.entries(OBJECTS).map(([binding, exportName]) => [
            binding,
            { type: "durable-object", worker: WORKER, exportName } as const,
          ]),
        ),
        [HISTORY_DATABASE]: { type: "d1", id: "history" },
        PAYLOADS: { type: "r2", name: "payloads" },
        CONFIG_FILES: { type: "fetcher", handler: configFileService(credentials) },
        ...textBindings({
          ...options.variables,
          ENVIRONMENT: "embedded",
          GLOBAL_WORKER_TOKEN: credentials.workerToken,
          SIGNING_SECRET: credentials.signingSecret,
          PUBLIC_URL: options.publicUrl ?? ownUrl(options),
        }),
      },
      exports: Object.fromEntries(
        Object.values(OBJECTS).map((name) => [name, { type: "durable-object", storage: "sqlite" } as const]),
      ),
    },
    dev: { rootPath: dataFolder, cacheAPI: false, ...(gated ? {} : { unsafeDirectSockets: [socket] }) },
  };
  const gate: WorkerOptions = {
    config: {
      name: GATE,
      compatibilityDate: COMPATIBILITY_DATE,
      compatibilityFlags: COMPATIBILITY_FLAGS,
      manifest: manifest(dataFolder, gateScript(options.logRequests)),
      env: { APP: { type: "worker", worker: WORKER } },
    },
    dev: { rootPath: dataFolder, cacheAPI: false, unsafeDirectSockets: [socket] },
  };
  return {
    miniflare: {
      workers: gated ? [app, gate] : [app],
      resourcePersistencePath: join(dataFolder, "storage"),
      cf: false,
      log: new MiniflareLog(log),
      logRequests: false,
      enableDevRegistry: false,
      handleStructuredLogs: ({ message }) => log(message),
    },
    reachedAt: gated ? GATE : WORKER,
  };
}

/** Where this machine reaches the server. With port 0 that is not known before it runs, and messages have no links. */
function ownUrl({ host, port }: Pick<ServerOptions, "host" | "port">): string | undefined {
  if (port === 0) return undefined;
  const everywhere = host === "0.0.0.0" || host === "::";
  const name = everywhere ? "localhost" : host.includes(":") ? `[${host}]` : host;
  return `http://${name}:${port}`;
}

function manifest(modulesRoot: string, contents: string): WorkerOptions["config"]["manifest"] {
  return { mainModule: "index.js", modulesRoot, modules: { "index.js": { type: "esm", contents } } };
}

function textBindings(variables: Record<string, string | undefined>): Record<string, { type: "text"; value: string }> {
  return Object.fromEntries(
    Object.entries(variables).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, { type: "text" as const, value }]],
    ),
  );
}
