// The floor on the same runtime as the embedded server: prints its address, ends with its parent.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { Miniflare } from "miniflare";
import { COMPATIBILITY_DATE } from "../../cli/src/server/embedded-worker.ts";

const [dataFolder = ""] = process.argv.slice(2);
const { outputFiles } = await build({
  entryPoints: [fileURLToPath(new URL("floor-program.ts", import.meta.url))],
  bundle: true,
  format: "esm",
  target: "es2024",
  external: ["cloudflare:*"],
  write: false,
});
const contents = outputFiles[0]?.text ?? "";
const miniflare = new Miniflare({
  workers: [
    {
      config: {
        name: "floor",
        compatibilityDate: COMPATIBILITY_DATE,
        manifest: {
          mainModule: "index.js",
          modulesRoot: dataFolder,
          modules: { "index.js": { type: "esm", contents } },
        },
        env: {
          JOBS: { type: "durable-object", worker: "floor", exportName: "Job" },
          HUB: { type: "durable-object", worker: "floor", exportName: "Hub" },
        },
        exports: {
          Job: { type: "durable-object", storage: "sqlite" },
          Hub: { type: "durable-object", storage: "sqlite" },
        },
      },
      dev: { rootPath: dataFolder, cacheAPI: false, unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }] },
    },
  ],
  resourcePersistencePath: dataFolder,
  cf: false,
});
await miniflare.ready;
process.on("disconnect", () => void miniflare.dispose().then(() => process.exit(0)));
process.send?.({ url: (await miniflare.unsafeGetDirectURL("floor")).origin });
