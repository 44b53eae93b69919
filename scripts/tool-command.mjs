import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGES = fileURLToPath(new URL("../node_modules/", import.meta.url));

/** Commands whose package has another name. */
const PACKAGE_OF = { tsc: "typescript" };

/**
 * The JavaScript file behind a command of an installed package: started with Node directly, it is the process itself that is
 * started, without a shell or shim between, on every platform.
 *
 * @param {string} command
 * @returns {string} path
 */
export function toolCommand(command) {
  const manifest = join(PACKAGES, PACKAGE_OF[command] ?? command, "package.json");
  const { bin } = createRequire(import.meta.url)(manifest);
  return join(dirname(manifest), typeof bin === "string" ? bin : bin[command]);
}
