import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** npm's own last lines, shown under our explanation. */
const LAST_LINES = 15;

/** What npm's error codes mean for the person in front of the screen; the first that occurs in its output counts. */
const EXPLANATIONS = [
  [/ENOTFOUND|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH/, "npm cannot reach its registry: this machine seems to have no network, or no name service."],
  [/ECONNREFUSED|ECONNRESET|ETIMEDOUT|ERR_SOCKET_TIMEOUT|EIDLETIMEOUT/, "npm's registry does not answer. Check the network, a proxy (npm config get proxy) and the registry (npm config get registry)."],
  [/SELF_SIGNED_CERT|UNABLE_TO_(GET|VERIFY)|CERT_HAS_EXPIRED/, "The registry's certificate is not trusted here; a proxy may have put its own in place."],
  [/ENOSPC/, "The disk is full."],
  [/EACCES|EPERM|EROFS/, "npm may not write here. Check who owns this folder and npm's cache (npm config get cache)."],
  [/E40[134]|ETARGET|notarget/, "The registry does not have a package that is needed, or does not let you read it."],
  [/EINTEGRITY/, "A package arrived damaged. Run \"npm cache verify\" and try again."],
];

/**
 * Installs what `package-lock.json` names when it is not installed. Plain JavaScript for a bare Node 20.
 *
 * @param {string} root folder of the repository
 * @throws {Error} with a message for the user when npm fails
 */
export async function ensureDependencies(root) {
  if (isInstalled(root)) return;
  console.error("Installing dependencies (first run, about a minute)…");
  const { code, output } = await npm(root, ["ci", "--include=dev", "--include=optional", "--no-audit", "--no-fund", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"]);
  if (code !== 0) throw new Error(explain(output));
}

/**
 * Compares npm's record of what it installed with the lock file. Optional packages are left out: most of them are for other machines.
 *
 * @param {string} root
 */
export function isInstalled(root) {
  const record = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(record)) return false;
  const installed = packagesOf(record);
  return Object.entries(packagesOf(join(root, "package-lock.json")))
    .filter(([path, { optional }]) => path.startsWith("node_modules/") && !optional)
    .every(([path, { version }]) => installed[path] !== undefined && installed[path].version === version);
}

function packagesOf(lockFile) {
  return JSON.parse(readFileSync(lockFile, "utf8")).packages;
}

/** @param {string} output all that npm printed */
export function explain(output) {
  const reason = EXPLANATIONS.find(([pattern]) => pattern.test(output))?.[1] ?? "npm failed.";
  const lines = output.trim().split("\n").slice(-LAST_LINES).map((line) => `  ${line}`);
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
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
    child.once("error", () => reject(new Error("npm is not on the PATH. Install Node with npm and try again.")));
    child.once("close", (code) => resolve({ code, output }));
  });
}
