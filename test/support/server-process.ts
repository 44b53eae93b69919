import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const BATUTA = fileURLToPath(new URL("../../cli/bin/batuta.mjs", import.meta.url));

/** How a process ended: its exit code, or the signal that ended it. */
type Ending = number | string;

/** `batuta` as a user starts it: the command, which starts the server, which starts the runtime. */
export interface BatutaProcess {
  command: ChildProcess;
  /** All it has printed so far. */
  output: { stdout: string; stderr: string };
  /** Its first line on stdout; rejects with what it said on stderr when it ends before. */
  ready: Promise<string>;
  ended: Promise<Ending>;
}

export function startBatuta(args: string[], environment: Record<string, string> = {}): BatutaProcess {
  const command = spawn(process.execPath, [BATUTA, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...environment },
  });
  const output = { stdout: "", stderr: "" };
  command.stderr.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
  const ended = once(command, "close").then(([code, signal]): Ending => code ?? signal);
  const ready = new Promise<string>((resolve, reject) => {
    command.stdout.setEncoding("utf8").on("data", (text: string) => {
      output.stdout += text;
      if (output.stdout.includes("\n")) resolve(output.stdout.split("\n", 1)[0] ?? "");
    });
    void ended.then((ending) => reject(new Error(`ended with ${ending}: ${output.stderr}`)));
  });
  // Those who only wait for the end need not be told.
  ready.catch(() => {});
  return { command, output, ready, ended };
}

/** The address in a ready line. */
export function addressIn(readyLine: string): string {
  const [address] = /http:\/\/\S+/.exec(readyLine) ?? [];
  if (address === undefined) throw new Error(`no address in ${JSON.stringify(readyLine)}`);
  return address;
}

export interface ProcessInfo {
  pid: number;
  parent: number;
  name: string;
}

/** All processes that a process has started, directly or through others (Linux: from /proc). Those that have ended do not count. */
export function descendantsOf(pid: number | undefined): ProcessInfo[] {
  const all = listProcesses();
  const children = (parent: number): ProcessInfo[] =>
    all.flatMap((each) => (each.parent === parent ? [each].concat(children(each.pid)) : []));
  return pid === undefined ? [] : children(pid);
}

/** Those of the given processes that still run. */
export function stillRunning(processes: ProcessInfo[]): ProcessInfo[] {
  const all = listProcesses();
  return processes.filter(({ pid, name }) => all.some((each) => each.pid === pid && each.name === name));
}

function listProcesses(): ProcessInfo[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) => readProcess(entry) ?? []);
}

function readProcess(pid: string): ProcessInfo | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  const [, name, state, parent] = /\((.*)\) (\S) (\d+)/s.exec(stat) ?? [];
  // A zombie has ended; only its parent has not looked yet.
  if (name === undefined || state === "Z") return undefined;
  return { pid: Number(pid), parent: Number(parent), name };
}
