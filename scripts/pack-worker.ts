import { resolve } from "node:path";
import { plainly } from "../cli/src/plain-error.ts";
import { packWorker } from "./worker-package.ts";

/** Where the package is made, unless an argument names another folder. */
const FOLDER = "dist/worker-sdk";

await plainly(async () => {
  const { tarball, files } = await packWorker(resolve(process.argv[2] ?? FOLDER));
  const bytes = [...files.values()].reduce((sum, size) => sum + size, 0);
  process.stdout.write(`${tarball}  ${files.size} files, ${Math.round(bytes / 1024)} KiB unpacked\n`);
});
