import { relative, resolve } from "node:path";
import { SOURCE_ROOT, bundleWorker, endBundler } from "../cli/src/bundle.ts";
import { plainly } from "../cli/src/plain-error.ts";

/** The Worker that `wrangler` takes as it is (`main` in wrangler.toml). */
const OUTFILE = resolve(SOURCE_ROOT, "dist/worker/index.js");

await plainly(async () => {
  const { bytes } = await bundleWorker({ outfile: OUTFILE });
  await endBundler();
  process.stdout.write(`${relative(process.cwd(), OUTFILE)}  ${Math.round(bytes / 1024)} KiB\n`);
});
