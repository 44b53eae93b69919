// Before `wrangler dev`: credentials to call it with, and a local database that has its migrations.
import { randomBytes } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SOURCE_ROOT } from "../cli/src/bundle.ts";
import { plainly } from "../cli/src/plain-error.ts";
import { runWrangler } from "./wrangler.ts";

/** The file from which `wrangler dev` takes secrets. */
const SECRETS_FILE = join(SOURCE_ROOT, ".dev.vars");

await plainly(async () => {
  if (!existsSync(SECRETS_FILE)) makeSecrets();
  await runWrangler("d1", "migrations", "apply", "HISTORY_DB", "--local", "--env", "");
});

function makeSecrets(): void {
  writeFileSync(
    SECRETS_FILE,
    `CLIENTS_TOML="[clients.local]\\ntoken = '${token()}'"\nGLOBAL_WORKER_TOKEN="${token()}"\nSIGNING_SECRET="${token()}"\n`,
    { mode: 0o600 },
  );
  process.stderr.write(
    "Wrote .dev.vars with random tokens for a client and for workers, and a secret that signs links.\n",
  );
}

function token(): string {
  return randomBytes(24).toString("base64url");
}
