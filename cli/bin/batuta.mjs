#!/usr/bin/env node
import { fileURLToPath } from "node:url";
import { chooseNode } from "./choose-node.mjs";
import { runNode } from "./run-node.mjs";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));

try {
  process.exitCode = await runNode(chooseNode(), [main, ...process.argv.slice(2)]);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
