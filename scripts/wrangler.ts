import { spawn } from "node:child_process";
import { runNode } from "../cli/bin/run-node.mjs";
import { SOURCE_ROOT } from "../cli/src/bundle.ts";
import { PlainError } from "../cli/src/plain-error.ts";
import { toolCommand } from "./tool-command.mjs";

export interface WranglerAnswer {
  ok: boolean;
  /** All that it printed. */
  output: string;
  /** What it printed to stdout alone. */
  stdout: string;
}

const environment = { ...process.env, WRANGLER_SEND_METRICS: "false" };

/** Runs wrangler before the user's eyes. */
export async function runWrangler(...args: string[]): Promise<void> {
  const code = await runNode(process.execPath, [toolCommand("wrangler"), ...args], {
    cwd: SOURCE_ROOT,
    ipc: false,
    env: environment,
  });
  if (code !== 0)
    throw new PlainError(
      `"wrangler ${args.join(" ")}" failed; what it says stands above. Correct this and run the command again.`,
    );
}

/** Asks wrangler and keeps the answer. */
export function askWrangler(...args: string[]): Promise<WranglerAnswer> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [toolCommand("wrangler"), ...args], {
      cwd: SOURCE_ROOT,
      stdio: ["ignore", "pipe", "pipe"],
      env: environment,
    });
    let output = "";
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.once("close", (code) => resolve({ ok: code === 0, output, stdout }));
  });
}
