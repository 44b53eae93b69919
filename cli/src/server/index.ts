import { join, resolve } from "node:path";
import { Miniflare, MiniflareCoreError } from "miniflare";
import { SOURCE_ROOT, type WorkerBundle, bundleWorker } from "../bundle.ts";
import { PlainError } from "../plain-error.ts";
import { type Credentials, settleCredentials } from "./credentials.ts";
import { startCron } from "./cron.ts";
import { type DataFolder, takeDataFolder } from "./data-folder.ts";
import { HISTORY_DATABASE, WORKER, embeddedWorker } from "./embedded-worker.ts";
import { applyMigrations } from "./migrations.ts";
import { DEFAULTS, type ServerOptions } from "./options.ts";
import { assertPortFree, portTaken } from "./port.ts";
import { guardRuntime } from "./runtime-guard.ts";
import { explainStartException } from "./start-exception.ts";
import { type RuntimeLog, createRuntimeLog } from "./runtime-log.ts";

export type { ServerOptions } from "./options.ts";

/** A running embedded server. */
export interface BatutaServer {
  /** Where it answers, without a final slash: `http://127.0.0.1:8080`. */
  url: string;
  port: number;
  /** Where clients and workers find their tokens. */
  credentials: Credentials;
  /** Ends the runtime and gives the data folder free. Calling it again waits for the same end. */
  stop(): Promise<void>;
}

/**
 * Starts Batuta on this machine: takes the data folder, settles the credentials, bundles the Worker, runs it on Miniflare with
 * everything kept under the data folder, and applies the database migrations.
 *
 * @param given what differs from the defaults: 127.0.0.1, port 8080, `./.batuta`
 * @throws {PlainError} when something of the user's is in the way: port, folder, files, blueprints
 */
export async function startServer(given: Partial<ServerOptions> = {}): Promise<BatutaServer> {
  const options: ServerOptions = { ...DEFAULTS, ...given };
  const folder = takeDataFolder(resolve(options.data));
  try {
    return await startIn(folder, options);
  } catch (error) {
    folder.release();
    throw error;
  }
}

async function startIn(folder: DataFolder, options: ServerOptions): Promise<BatutaServer> {
  const credentials = settleCredentials(options, folder.path);
  await assertPortFree(options.host, options.port);
  const bundle = await bundleWorker({ blueprints: options.blueprints });

  guardRuntime();
  const log = createRuntimeLog((line) => process.stderr.write(`${line}\n`));
  const { miniflare: configuration, reachedAt } = embeddedWorker({
    code: bundle.code,
    credentials,
    dataFolder: folder.path,
    options,
    log: log.add,
  });
  const miniflare = new Miniflare(configuration);
  try {
    await miniflare.ready;
    await applyMigrations(await miniflare.getD1Database(HISTORY_DATABASE, WORKER), join(SOURCE_ROOT, "migrations"));
    await assertConfigured(await miniflare.getWorker(WORKER));
  } catch (error) {
    // It fails with the same error that is being told.
    await miniflare.dispose().catch(() => undefined);
    throw startFailure(error, options, log, bundle);
  }
  log.open();

  const url = await miniflare.unsafeGetDirectURL(reachedAt);
  const cron = startCron(miniflare, WORKER, (error) =>
    process.stderr.write(`The scheduled upkeep did not run: ${String(error)}\n`),
  );
  let stopped: Promise<void> | undefined;
  const end = async () => {
    cron.stop();
    await miniflare.dispose();
    folder.release();
  };
  return { url: url.origin, port: Number(url.port), credentials, stop: () => (stopped ??= end()) };
}

/** The Worker reads its settings with the first request; this is that one. */
async function assertConfigured(worker: Awaited<ReturnType<Miniflare["getWorker"]>>): Promise<void> {
  const answer = await worker.fetch("http://batuta/_public/status");
  if (answer.ok) return;
  const problem: unknown = await answer.json().catch(() => undefined);
  const isTold = typeof problem === "object" && problem !== null && "error" in problem;
  throw new PlainError(
    isTold
      ? String(problem.error)
      : `The Worker answers its first request with ${answer.status}; its log stands above.`,
  );
}

/** What the user is told of a Worker that did not start. */
export function startFailure(
  error: unknown,
  { port, blueprints }: Pick<ServerOptions, "port" | "blueprints">,
  log: RuntimeLog,
  bundle: WorkerBundle,
): unknown {
  const exception = log.startFailure();
  if (exception === undefined) log.open();
  if (!(error instanceof MiniflareCoreError)) return error;
  if (error.code === "ERR_ADDRESS_IN_USE") return new PlainError(portTaken(port));
  const which = blueprints === undefined ? "" : ` with the blueprints of ${blueprints}`;
  const reason = exception === undefined ? error.message : explainStartException(exception, bundle);
  return new PlainError(`The Worker does not start${which}: ${reason}`);
}
