// The whole way to Cloudflare: `npm run deploy [-- --env NAME] [--secrets-file FILE] [--dry-run]`.
// Every step can be repeated; a deployment that stopped half-way is continued by running it again.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { SOURCE_ROOT } from "../cli/src/bundle.ts";
import { PlainError, plainly, reasonOf } from "../cli/src/plain-error.ts";
import { type Deployment, environmentsOf, missingSecrets, namesInSecretsFile, readDeployment } from "./deployment.ts";
import { askWrangler, runWrangler } from "./wrangler.ts";

const DEFAULT_ENVIRONMENT = "production";

await plainly(async () => {
  const options = readOptions();
  const toml = await readFile(join(SOURCE_ROOT, "wrangler.toml"), "utf8");
  if (options["dry-run"]) return rehearse(options.env === undefined ? environmentsOf(toml) : [options.env], toml);

  const environment = options.env ?? DEFAULT_ENVIRONMENT;
  const deployment = readDeployment(toml, environment);
  await assertSecrets(deployment, environment, options["secrets-file"]);
  await provision(deployment);
  for (const { binding } of deployment.databases)
    await runWrangler("d1", "migrations", "apply", binding, "--remote", "--env", environment);
  const secrets = options["secrets-file"] === undefined ? [] : ["--secrets-file", options["secrets-file"]];
  await runWrangler("deploy", "--env", environment, ...secrets);
});

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        env: { type: "string" },
        "secrets-file": { type: "string" },
        "dry-run": { type: "boolean", default: false },
      },
    });
    return values;
  } catch (error) {
    throw new PlainError(`${reasonOf(error)} Usage: npm run deploy [-- --env NAME] [--secrets-file FILE] [--dry-run]`);
  }
}

/** Builds and checks what would be sent, without an account and without network. */
async function rehearse(environments: string[], toml: string): Promise<void> {
  for (const environment of environments) {
    const { requiredSecrets } = readDeployment(toml, environment);
    const order = ["deploy", "--dry-run", "--env", environment, "--outdir", `dist/dry-run/${environment}`];
    const { ok, output } = await askWrangler(...order);
    if (!ok) throw wranglerFailure(order, output);
    const size = /Total Upload: .*/.exec(output)?.[0] ?? "size unknown";
    process.stdout.write(`${environment}: ${size}; secrets it needs: ${requiredSecrets.join(", ") || "none"}\n`);
  }
}

async function assertSecrets(
  deployment: Deployment,
  environment: string,
  secretsFile: string | undefined,
): Promise<void> {
  const given = secretsFile === undefined ? [] : await readSecretsFile(secretsFile);
  const present = new Set([...given, ...(await deployedSecrets(environment))]);
  if (present.has("INTEGRATIONS_TOML") && !deployment.variables.includes("PUBLIC_URL")) {
    process.stderr.write(
      `PUBLIC_URL is not set in [env.${environment}.vars] of wrangler.toml: people who are asked for decisions will get no links.\n`,
    );
  }
  const missing = missingSecrets(deployment, present);
  if (missing.length === 0) return;
  throw new PlainError(
    `These secrets are not set for ${environment}: ${missing.join(", ")}.\n` +
      `Write them to a file outside the repository, as JSON ({"NAME": "value"}) or a line NAME=value each, and run:\n` +
      `  npm run deploy -- --env ${environment} --secrets-file FILE`,
  );
}

async function readSecretsFile(path: string): Promise<string[]> {
  try {
    return namesInSecretsFile(await readFile(path, "utf8"));
  } catch (error) {
    throw new PlainError(`Cannot read the secrets of ${path}: ${reasonOf(error)}.`);
  }
}

/** Names only; a Worker that was never deployed has none. */
async function deployedSecrets(environment: string): Promise<string[]> {
  const order = ["secret", "list", "--env", environment, "--format", "json"];
  const { ok, output, stdout } = await askWrangler(...order);
  if (ok) return [...stdout.matchAll(/"name":\s*"([^"]+)"/g)].flatMap(([, name]) => name ?? []);
  if (/10007|not found|does not exist/i.test(output)) return [];
  throw wranglerFailure(order, output);
}

/** Makes what wrangler does not make by itself: the database before its migrations, and queues that are only read from. */
async function provision({ databases, queuesToMake }: Deployment): Promise<void> {
  for (const { name } of databases) await make("d1", "create", name);
  for (const queue of queuesToMake) await make("queues", "create", queue);
}

async function make(...order: string[]): Promise<void> {
  const { ok, output } = await askWrangler(...order);
  if (ok) process.stdout.write(`Made: ${order.join(" ")}\n`);
  else if (!/already (exists|taken|in use)/i.test(output)) throw wranglerFailure(order, output);
}

function wranglerFailure(order: string[], output: string): PlainError {
  return new PlainError(
    /CLOUDFLARE_API_TOKEN|not (logged in|authenticated)/i.test(output)
      ? 'wrangler is not logged in to Cloudflare. Run "npm run wrangler -- login", or set CLOUDFLARE_API_TOKEN, and try again.'
      : `${output.trim()}\n\n"wrangler ${order.join(" ")}" failed; what it says stands above.`,
  );
}
