import { type ChildProcess, spawn } from "node:child_process";
import { afterAll } from "vitest";

/** What a process of a test may know of its surroundings: a setting of the caller's own deployment must not lead it elsewhere. */
const INHERITED = ["PATH", "HOME", "TMPDIR", "TEMP", "SystemRoot"];

const running = new Set<ProcessGroup>();

afterAll(() => Promise.all([...running].map((group) => group.kill("SIGKILL"))));
// When the test run itself is ended, hooks do not run.
process.once("exit", () => {
  for (const group of running) group.signal("SIGKILL");
});

/**
 * A process with all its descendants, in a process group of its own, so that one signal reaches all of them. What a test leaves
 * running is killed after the tests of its file.
 */
export class ProcessGroup {
  /** Settles when no process of the group has our pipes open any more: all are gone. */
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  #output = "";
  #onOutput = (): void => {};

  /**
   * @param args arguments for the program
   * @param program Node when absent
   * @param environment variables besides the few that every program needs
   */
  constructor(
    args: readonly string[],
    {
      cwd,
      environment = {},
      program = process.execPath,
    }: { cwd?: string; environment?: Record<string, string>; program?: string } = {},
  ) {
    const inherited = INHERITED.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
    this.#child = spawn(program, args, {
      cwd,
      env: { ...Object.fromEntries(inherited), ...environment },
      detached: true,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output += text;
        this.#onOutput();
      });
    }
    running.add(this);
    this.ended = new Promise((resolve) => {
      this.#child.once("close", () => {
        running.delete(this);
        resolve();
      });
    });
  }

  /** All that was printed so far. */
  get output(): string {
    return this.#output;
  }

  /** Waits until the pattern is in the output; throws the output when the process ends without. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
    this.#onOutput = () => {
      const found = pattern.exec(this.#output);
      if (found !== null) resolve(found);
    };
    this.#onOutput();
    void this.ended.then(() =>
      reject(new Error(`The process ended before it printed ${String(pattern)}:\n${this.#output}`)),
    );
    return promise;
  }

  /** Sends a message to the first process of the group. */
  tell(message: string): void {
    this.#child.send(message);
  }

  /** Calls back with each message of the first process. */
  onMessage(callback: (message: unknown) => void): void {
    this.#child.on("message", callback);
  }

  /** Sends a signal to every process of the group. */
  signal(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    try {
      if (pid !== undefined) process.kill(-pid, signal);
    } catch {
      // The whole group has ended already.
    }
  }

  /** Sends a signal to every process of the group and waits until all are gone. */
  async kill(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    this.signal(signal);
    await this.ended;
  }
}
