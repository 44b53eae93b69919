import { parseEnv } from "node:util";
import { parse } from "toml";
import { z } from "zod";
import { PlainError } from "../cli/src/plain-error.ts";

const environmentConfig = z.object({
  d1_databases: z.array(z.object({ binding: z.string(), database_name: z.string() })).default([]),
  queues: z
    .object({
      producers: z.array(z.object({ queue: z.string() })).default([]),
      consumers: z.array(z.object({ queue: z.string() })).default([]),
    })
    .prefault({}),
  vars: z.record(z.string(), z.unknown()).default({}),
  secrets: z.object({ required: z.array(z.string()) }).default({ required: [] }),
});

/** What a deployment needs on the account besides the Worker. */
export interface Deployment {
  databases: { binding: string; name: string }[];
  /** Queues that are only read from: wrangler makes those that are written to by itself, but not these. */
  queuesToMake: string[];
  requiredSecrets: string[];
  /** Names of the variables that wrangler.toml sets. */
  variables: string[];
}

/** Whoever asks people sends them links, which must be signed. */
const NEEDED_WITH: Readonly<Record<string, string>> = { INTEGRATIONS_TOML: "SIGNING_SECRET" };

/** Names of the environments in wrangler.toml, in its order. */
export function environmentsOf(wranglerToml: string): string[] {
  return Object.keys(environmentTables(wranglerToml));
}

/**
 * @throws {PlainError} for an environment that wrangler.toml does not have
 */
export function readDeployment(wranglerToml: string, environment: string): Deployment {
  const tables = environmentTables(wranglerToml);
  const table = tables[environment];
  if (table === undefined) {
    throw new PlainError(
      `wrangler.toml has no environment ${JSON.stringify(environment)}. Give --env one of: ${Object.keys(tables).join(", ")}.`,
    );
  }
  const { d1_databases, queues, secrets, vars } = environmentConfig.parse(table);
  const written = new Set(queues.producers.map(({ queue }) => queue));
  return {
    databases: d1_databases.map(({ binding, database_name }) => ({ binding, name: database_name })),
    queuesToMake: queues.consumers.map(({ queue }) => queue).filter((queue) => !written.has(queue)),
    requiredSecrets: [...secrets.required, ...(vars["WORKER_SIGNATURES"] === "required" ? ["SIGNING_SECRET"] : [])],
    variables: Object.keys(vars),
  };
}

/**
 * The secrets without which the deployment would not do what it is set up for.
 * @param present names of those that are set or given
 */
export function missingSecrets({ requiredSecrets }: Deployment, present: ReadonlySet<string>): string[] {
  const needed = Object.entries(NEEDED_WITH).flatMap(([one, other]) => (present.has(one) ? [other] : []));
  return [...new Set([...requiredSecrets, ...needed])].filter((name) => !present.has(name));
}

/** Names in a secrets file as `wrangler deploy --secrets-file` takes it: JSON, or a line `NAME=value` each. */
export function namesInSecretsFile(content: string): string[] {
  if (!content.trimStart().startsWith("{")) return Object.keys(parseEnv(content));
  return Object.keys(z.record(z.string(), z.string()).parse(JSON.parse(content)));
}

function environmentTables(wranglerToml: string): Record<string, unknown> {
  return z.object({ env: z.record(z.string(), z.unknown()).default({}) }).parse(parse(wranglerToml)).env;
}
