import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Says for which lock file the packages were installed. */
const STAMP = join("node_modules", ".batuta-installed");

/** npm's own last lines, shown under our explanation. */
const LAST_LINES = 15;

const NO_NETWORK = /ENOTFOUND|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH/;
const NO_ANSWER = /ECONNREFUSED|ECONNRESET|ETIMEDOUT|ERR_SOCKET_TIMEOUT|E\w+TIMEOUT/;

/** What npm's error codes mean for the person in front of the screen; the first that occurs in its output counts. */
const EXPLANATIONS = [
  [NO_NETWORK, "npm cannot reach its registry: this machine seems to have no network, or no name service."],
  [
    NO_ANSWER,
    "npm's registry does not answer. Check the network, a proxy (npm config get proxy) and the registry (npm config get registry).",
  ],
  [
    /SELF_SIGNED_CERT|UNABLE_TO_(GET|VERIFY)|CERT_HAS_EXPIRED/,
    "The registry's certificate is not trusted here; a proxy may have put its own in place.",
  ],
  [/ENOSPC/, "The disk is full."],
  [/EACCES|EPERM|EROFS/, "npm may not write here. Check who owns this folder and npm's cache (npm config get cache)."],
  [/E40[134]|ETARGET|notarget/, "The registry does not have a package that is needed, or does not let you read it."],
  [/EINTEGRITY/, 'A package arrived damaged. Run "npm cache verify" and try again.'],
];

/** Neither a question nor advice, and a network that fails is not tried for minutes. */
const QUIET = ["--no-audit", "--no-fund", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"];

/**
 * Installs what `package-lock.json` names when it is not installed. Plain JavaScript for a bare Node 20.
 *
 * Not by `npm ci`: that refuses a lock file that lacks a package for some other platform, and which of those a lock file has depends
 * on the registry it was made with. `npm install --no-save` takes every version from the lock file too, and leaves the file alone.
 *
 * @param {string} root folder of the repository
 * @throws {Error} with a message for the user when npm fails
 */
export async function ensureDependencies(root) {
  if (isInstalled(root)) return;
  console.error("Installing dependencies (first run, about a minute)…");
  const ping = await npm(root, ["ping", ...QUIET, "--fetch-retries=0"]);
  if (ping.code !== 0 && isNetworkFailure(ping.output)) throw new Error(explain(ping.output));
  const install = await npm(root, ["install", "--no-save", "--include=dev", "--include=optional", ...QUIET]);
  if (install.code !== 0) throw new Error(explain(install.output));
  writeFileSync(join(root, STAMP), stampOf(root));
}

/** Whether the last install here was for this lock file, on a machine of this kind. */
function isInstalled(root) {
  const stamp = join(root, STAMP);
  return existsSync(stamp) && readFileSync(stamp, "utf8") === stampOf(root);
}

function stampOf(root) {
  const lock = readFileSync(join(root, "package-lock.json"));
  return `${createHash("sha256").update(lock).digest("hex")} ${process.platform}-${process.arch}\n`;
}

/** A registry may not know how to be pinged; only a failure to reach it counts. */
function isNetworkFailure(output) {
  return NO_NETWORK.test(output) || NO_ANSWER.test(output);
}

/** @param {string} output all that npm printed */
export function explain(output) {
  const reason = EXPLANATIONS.find(([pattern]) => pattern.test(output))?.[1] ?? "npm failed.";
  const lines = output
    .trim()
    .split("\n")
    .slice(-LAST_LINES)
    .map((line) => `  ${line}`);
  return `The dependencies could not be installed. ${reason}\nThe last that npm said:\n${lines.join("\n")}`;
}

/** Runs the npm that runs us, else the one on PATH. */
function npm(root, args) {
  const own = process.env.npm_execpath;
  const viaNode = own !== undefined && /npm-cli\.c?js$/.test(own);
  return new Promise((resolve, reject) => {
    const child = viaNode
      ? spawn(process.execPath, [own, ...args], { cwd: root, stdio: ["ignore", "pipe", "pipe"] })
      : spawn("npm", args, { cwd: root, stdio: ["ignore", "pipe", "pipe"], shell: process.platform === "win32" });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text) => (output += text));
    child.once("error", () => reject(new Error("npm is not on the PATH. Install Node with npm and try again.")));
    child.once("close", (code) => resolve({ code, output }));
  });
}
