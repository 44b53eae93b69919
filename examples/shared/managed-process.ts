import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";

/** Time a process gets to end by itself. */
const STOP_TIMEOUT_MS = 8_000;
const WINDOWS = process.platform === "win32";

/** How a process ended, in words: "exit code 1", "signal SIGKILL". */
export type Ending = string;

export interface ProcessOptions {
  /** As it is called in messages. */
  readonly name: string;
  /** Arguments for Node. */
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** All it prints is added here. */
  readonly logFile: string;
  /** Called with each piece of its standard output. */
  readonly onOutput?: (text: string) => void;
}

/**
 * A process of an example in a process group of its own: Ctrl-C in the terminal reaches the example only, which ends the
 * others in order, and none of their children is left behind.
 */
export class ManagedProcess {
  readonly name: string;
  readonly logFile: string;
  /** Resolves when the process has ended; never rejects. */
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;

  private constructor({ name, logFile }: ProcessOptions, child: ChildProcess, ended: Promise<Ending>) {
    this.name = name;
    this.logFile = logFile;
    this.#child = child;
    this.ended = ended;
  }

  static async start(options: ProcessOptions): Promise<ManagedProcess> {
    const { args, cwd, env, logFile, onOutput } = options;
    await mkdir(dirname(logFile), { recursive: true });
    const log = createWriteStream(logFile, { flags: "a" });
    await once(log, "open");
    const child = spawn(process.execPath, args, {
      cwd,
      env: { ...process.env, ...env },
      detached: !WINDOWS,
      windowsHide: true,
      // Over the IPC channel a child notices that its example is gone, however it went.
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      log.write(text);
      onOutput?.(text);
    });
    child.stderr?.pipe(log, { end: false });
    const ended = new Promise<Ending>((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("exit", (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
      child.once("close", () => log.end());
    });
    return new ManagedProcess(options, child, ended);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Ends the process and its children: asks first, then insists. Returns when it has ended. */
  async stop(): Promise<void> {
    this.#signal("SIGTERM");
    const insist = setTimeout(() => this.#signal("SIGKILL"), STOP_TIMEOUT_MS);
    await this.ended;
    clearTimeout(insist);
  }

  /** The last lines that the process printed. */
  async lastWords(lines = 15): Promise<string> {
    const text = await readFile(this.logFile, "utf8").catch(() => "");
    return text.trimEnd().split("\n").slice(-lines).join("\n");
  }

  #signal(signal: "SIGTERM" | "SIGKILL"): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    if (WINDOWS) {
      // Windows has no process groups to signal; /T ends the children too.
      spawn("taskkill", ["/pid", String(pid), "/T", "/F"], { stdio: "ignore", windowsHide: true });
      return;
    }
    try {
      process.kill(-pid, signal);
    } catch {
      // The whole group has ended already.
    }
  }
}
