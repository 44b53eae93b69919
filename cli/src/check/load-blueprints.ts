import { Miniflare } from "miniflare";
import { z } from "zod";
import { SOURCE_ROOT, bundleWorker } from "../bundle.ts";
import { COMPATIBILITY_DATE, COMPATIBILITY_FLAGS, WORKER } from "../server/embedded-worker.ts";
import { startFailure } from "../server/index.ts";
import { guardRuntime } from "../server/runtime-guard.ts";
import { MiniflareLog, createRuntimeLog } from "../server/runtime-log.ts";

const ENTRY = "cli/src/check/catalog-worker.ts";

const loaded = z.array(
  z.object({
    name: z.string(),
    version: z.number(),
    states: z.array(z.string()),
    migrations: z.array(z.object({ from: z.number(), states: z.record(z.string(), z.string()) })),
  }),
);

/** A blueprint of a module, as far as its version goes. */
export type LoadedBlueprint = z.infer<typeof loaded>[number];

/**
 * Loads a module of blueprints as the server does: the same compiler, the same runtime, the same checks, the same words
 * for what is wrong.
 *
 * @param blueprints path of the module; the deployment's own when absent
 * @throws {PlainError} when the server would not start with it
 */
export async function loadBlueprints(blueprints: string | undefined): Promise<LoadedBlueprint[]> {
  const bundle = await bundleWorker({ blueprints, entry: ENTRY });
  guardRuntime();
  const log = createRuntimeLog((line) => process.stderr.write(`${line}\n`));
  const manifest = {
    mainModule: "index.js",
    modulesRoot: SOURCE_ROOT,
    modules: { "index.js": { type: "esm" as const, contents: bundle.code } },
  };
  const miniflare = new Miniflare({
    workers: [
      {
        config: {
          name: WORKER,
          compatibilityDate: COMPATIBILITY_DATE,
          compatibilityFlags: COMPATIBILITY_FLAGS,
          manifest,
        },
        dev: { rootPath: SOURCE_ROOT, cacheAPI: false },
      },
    ],
    cf: false,
    log: new MiniflareLog(log.add),
    logRequests: false,
    enableDevRegistry: false,
    handleStructuredLogs: ({ message }) => log.add(message),
  });
  try {
    await miniflare.ready;
    log.open();
    const worker = await miniflare.getWorker(WORKER);
    return loaded.parse(await (await worker.fetch("http://batuta/")).json());
  } catch (error) {
    throw startFailure(error, { port: 0, blueprints }, log, bundle);
  } finally {
    // A runtime that did not start ends with the same error once more.
    await miniflare.dispose().catch(() => undefined);
  }
}
