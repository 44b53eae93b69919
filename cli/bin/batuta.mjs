#!/usr/bin/env node
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chooseNode } from "./choose-node.mjs";
import { runNode } from "./run-node.mjs";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const repository = new URL("../../", import.meta.url);

try {
  await installInRepository();
  process.exitCode = await runNode(chooseNode(), [main, ...process.argv.slice(2)]);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

/** In a clone of the repository this may be the first command of all; as an installed package, everything is there. */
async function installInRepository() {
  const installer = new URL("scripts/ensure-dependencies.mjs", repository);
  if (!existsSync(installer)) return;
  const { ensureDependencies } = await import(installer.href);
  await ensureDependencies(fileURLToPath(repository));
}
