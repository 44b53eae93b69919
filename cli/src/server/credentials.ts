import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseClients } from "../../../src/access/clients.ts";
import type { Parsed } from "../../../src/access/configuration-text.ts";
import { parsePolicy } from "../../../src/dispatch/policy.ts";
import { parseIntegrations } from "../../../src/access/integrations.ts";
import { parseWorkers } from "../../../src/access/workers.ts";
import { PlainError, reasonOf } from "../plain-error.ts";
import type { ServerOptions } from "./options.ts";

/** Where a server's credentials lie. Secrets leave these files only towards the Worker. */
export interface Credentials {
  clientsFile: string;
  workersFile?: string | undefined;
  /** Set when the token of all workers is kept in the data folder. */
  workerTokenFile?: string | undefined;
  workerToken?: string | undefined;
  integrationsFile?: string | undefined;
  /** Not a secret; it lies beside the others. */
  dispatchFile?: string | undefined;
  /** Signs approval links; kept in the data folder unless it was given. */
  signingSecret?: string | undefined;
}

/**
 * Settles who may call and who is asked: the files and secrets that were given, else random ones made in the data folder on the first
 * start, readable by the owner only. The Worker reads the files again for itself; a mistake in one is told here, at the start, and not with
 * the first request.
 *
 * @throws {PlainError} when a file cannot be read or used
 */
export function settleCredentials(
  options: Pick<
    ServerOptions,
    "clients" | "workers" | "integrations" | "dispatch" | "globalWorkerToken" | "signingSecret"
  >,
  dataFolder: string,
): Credentials {
  const integrationsFile = options.integrations;
  if (integrationsFile !== undefined) {
    assertUsable(parseIntegrations(readConfiguration(integrationsFile, "--integrations")), integrationsFile);
  }
  const signingSecret =
    options.signingSecret ?? keptSecret(join(dataFolder, "signing-secret"), "SIGNING_SECRET").secret;
  const dispatchFile = options.dispatch;
  if (dispatchFile !== undefined) {
    assertUsable(parsePolicy(readConfiguration(dispatchFile, "--dispatch")), dispatchFile);
  }
  return { ...settleCallers(options, dataFolder), integrationsFile, dispatchFile, signingSecret };
}

function settleCallers(
  options: Pick<ServerOptions, "clients" | "workers" | "globalWorkerToken">,
  dataFolder: string,
): Pick<Credentials, "clientsFile" | "workersFile" | "workerTokenFile" | "workerToken"> {
  const clientsFile = options.clients ?? join(dataFolder, "clients.toml");
  if (options.clients === undefined) makeSecretFile(clientsFile, firstClients);
  assertUsable(parseClients(readConfiguration(clientsFile, "--clients")), clientsFile);

  const workersFile = options.workers;
  if (workersFile !== undefined) assertUsable(parseWorkers(readConfiguration(workersFile, "--workers")), workersFile);
  if (workersFile !== undefined || options.globalWorkerToken !== undefined) {
    return { clientsFile, workersFile, workerToken: options.globalWorkerToken };
  }
  const { file, secret } = keptSecret(join(dataFolder, "worker-token"), "GLOBAL_WORKER_TOKEN");
  return { clientsFile, workerTokenFile: file, workerToken: secret };
}

/** A secret of the data folder, made on the first start. */
function keptSecret(file: string, setting: string): { file: string; secret: string } {
  makeSecretFile(file, () => `${newToken()}\n`);
  return { file, secret: readConfiguration(file, setting).trim() };
}

/** Reads a file that a setting names. */
function readConfiguration(path: string, setting: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new PlainError(`Cannot read ${path}: ${reasonOf(error)}. Correct the path or give another with ${setting}.`);
  }
}

function assertUsable(parsed: Parsed<unknown>, path: string): void {
  if (!parsed.ok) throw new PlainError(`${path} cannot be used:\n${parsed.error}`);
}

function makeSecretFile(path: string, content: () => string): void {
  if (existsSync(path)) return;
  try {
    writeFileSync(path, content(), { mode: 0o600, flag: "wx" });
  } catch (error) {
    throw new PlainError(`Cannot write ${path}: ${reasonOf(error)}. Choose another folder with --data.`);
  }
}

function firstClients(): string {
  return `# Who may create and read jobs on this server, and with which token. Changes count from the next request.
# A client with admin = true may also look after workers, shards and settings.
[clients.local]
token = "${newToken()}"
admin = true
`;
}

/** 192 random bits as text that needs no quoting anywhere. */
function newToken(): string {
  return randomBytes(24).toString("base64url");
}
