// All that can be said about the source without a running system, in parallel; one line for each, and the output of those that fail.
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { SOURCE_ROOT } from "../cli/src/bundle.ts";
import { toolCommand } from "./tool-command.mjs";

interface Check {
  name: string;
  tool: string;
  args: string[];
}

interface Outcome {
  failed: boolean;
  output: string;
}

/** Longest first: they share the processors. */
const CHECKS: Check[] = [
  { name: "unit tests", tool: "vitest", args: ["run", "--project", "unit"] },
  { name: "dead code", tool: "knip", args: [] },
  { name: "lint", tool: "oxlint", args: ["--type-aware", "--deny-warnings"] },
  ...[
    "tsconfig.json",
    "worker-sdk/tsconfig.json",
    "cli/tsconfig.json",
    "test/tsconfig.json",
    "test/unit/tsconfig.json",
    "test/e2e/tsconfig.json",
  ].map((project) => ({
    name: `types of ${dirname(project) === "." ? "the Worker" : dirname(project)}`,
    tool: "tsc",
    args: ["--project", project],
  })),
  { name: "format", tool: "oxfmt", args: ["--check"] },
];

const started = performance.now();
const waiting = [...CHECKS];
const failures: string[] = [];
await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, runWaiting));
for (const failure of failures) process.stdout.write(`\n${failure}\n`);
process.stdout.write(`${CHECKS.length - failures.length} of ${CHECKS.length} checks passed in ${seconds(started)}\n`);
process.exitCode = failures.length === 0 ? 0 : 1;

async function runWaiting(): Promise<void> {
  for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
    const start = performance.now();
    const { failed, output } = await run(check);
    process.stdout.write(`${failed ? "FAILED" : "ok    "} ${check.name.padEnd(24)} ${seconds(start)}\n`);
    if (failed) failures.push(`──── ${check.name}\n${output.trim()}`);
  }
}

function run({ tool, args }: Check): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [toolCommand(tool), ...args], {
      cwd: SOURCE_ROOT,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.once("close", (code) => resolve({ failed: code !== 0, output }));
  });
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}
