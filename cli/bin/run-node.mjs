import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname } from "node:path";

/** How a source tree is run: workspace packages answer with their TypeScript, and Node does not remark on it. */
const SOURCE_FLAGS = ["--conditions=batuta-source", "--disable-warning=ExperimentalWarning"];

/**
 * Runs a script with the given Node and lives exactly as long as it does: signals are passed on, and the exit code comes back.
 * Who started this process over IPC and dies ends it too.
 * The script sees an IPC channel that closes when this process dies, even by SIGKILL; our long-running programs stop on that.
 *
 * @param {string} node path of the Node binary; its folder becomes the first on PATH
 * @param {string[]} args script and its arguments
 * @param {{ cwd?: string, ipc?: boolean, env?: NodeJS.ProcessEnv }} [options] `ipc: false` for programs of others, which may take the channel for something else
 * @returns {Promise<number>} exit code; 128 + the signal's number when a signal ended it
 */
export function runNode(node, args, { cwd, ipc = true, env = process.env } = {}) {
  const child = spawn(node, [...SOURCE_FLAGS, ...args], {
    cwd,
    stdio: ["inherit", "inherit", "inherit", ...(ipc ? ["ipc"] : [])],
    env: withFirstOnPath(dirname(node), env),
  });
  const passOn = (signal) => child.kill(signal);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, passOn);
  const stop = () => child.kill("SIGTERM");
  const npmWatch = stopWhenNpmDies(stop);
  process.once("disconnect", stop);

  return new Promise((resolve, reject) => {
    child.once("error", (cause) =>
      reject(
        new Error(
          `Cannot start ${node}: ${cause.message}. It needs a system with glibc; on others install Node 24 and use that.`,
          { cause },
        ),
      ),
    );
    child.once("exit", (code, signal) => {
      clearInterval(npmWatch);
      process.off("disconnect", stop);
      for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.off(name, passOn);
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}

/** Windows spells the variable `Path`, and a copied environment has lost the indifference to case. */
function withFirstOnPath(folder, env) {
  const name = Object.keys(env).find((key) => key.toUpperCase() === "PATH") ?? "PATH";
  return { ...env, [name]: [folder, env[name]].filter(Boolean).join(delimiter) };
}

/**
 * npm started us, mostly through a shell, and should outlive us. When it is killed outright nobody tells us, except that our parent
 * changes, or the parent of that shell.
 */
function stopWhenNpmDies(stop) {
  if (process.env.npm_lifecycle_event === undefined) return undefined;
  const before = wayToNpm();
  return setInterval(() => {
    if (wayToNpm() !== before) stop();
  }, 1_000);
}

function wayToNpm() {
  const { name = "", parent } = statOf(process.ppid);
  return name.endsWith("sh") ? `${process.ppid} ${parent}` : `${process.ppid}`;
}

/** Name and parent of a process where /proc tells them; the name stands in brackets and may contain anything. */
function statOf(pid) {
  try {
    return /\((?<name>.*)\) \S (?<parent>\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.groups ?? {};
  } catch {
    return {};
  }
}
