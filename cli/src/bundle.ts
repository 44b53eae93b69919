import { existsSync, statSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Message, type OutputFile, type Plugin, build, stop } from "esbuild";
import { PlainError } from "./plain-error.ts";

/** The folder that holds the Worker's source, `src/index.ts`. */
export const SOURCE_ROOT = fileURLToPath(new URL("../../", import.meta.url));

export interface BundleRequest {
  /** Module whose default export is the list of blueprints; the deployment's own `blueprints/index.ts` when absent. */
  blueprints?: string | undefined;
  /** Where to write the bundle and its source map; nothing is written when absent. */
  outfile?: string | undefined;
  /** What to bundle with the blueprints, from `SOURCE_ROOT`; the Worker when absent. */
  entry?: string | undefined;
}

export interface WorkerBundle {
  /** One ES module; imports nothing but `cloudflare:*` and `node:*`. */
  code: string;
  /** Bytes of `code`. */
  bytes: number;
  /** Source map (JSON) with paths from `SOURCE_ROOT`, or from the folder of `outfile` when that was given. */
  sourceMap: string;
}

/**
 * Bundles the Worker with a set of blueprints. What `wrangler deploy` ships and what `batuta server` runs both come from here.
 *
 * @throws {PlainError} when the blueprints cannot be read or compiled; the message names file and line
 */
export async function bundleWorker({
  blueprints,
  outfile,
  entry = "src/index.ts",
}: BundleRequest = {}): Promise<WorkerBundle> {
  const module = resolve(blueprints ?? `${SOURCE_ROOT}blueprints/index.ts`);
  await assertBlueprintModule(module);
  const { outputFiles } = await compile(module, () =>
    build({
      absWorkingDir: SOURCE_ROOT,
      entryPoints: [entry],
      outfile: outfile === undefined ? "index.js" : resolve(outfile),
      bundle: true,
      write: false,
      format: "esm",
      platform: "neutral",
      target: "es2024",
      mainFields: ["module", "main"],
      conditions: ["batuta-source", "workerd", "worker", "browser"],
      external: ["cloudflare:*", "node:*"],
      define: { "process.env.NODE_ENV": '"production"' },
      plugins: [ownCopies(module)],
      sourcemap: outfile === undefined ? "external" : "linked",
      charset: "utf8",
      legalComments: "none",
      logLevel: "silent",
    }),
  );
  if (outfile !== undefined) await writeOutputs(outputFiles);
  const output = (ending: string) => outputFiles.find((file) => file.path.endsWith(ending))?.contents;
  const code = output(".js") ?? new Uint8Array();
  const text = new TextDecoder();
  return { code: text.decode(code), bytes: code.byteLength, sourceMap: text.decode(output(".map")) };
}

/** Ends the compiler's own process; it would otherwise stay until this process ends. */
export async function endBundler(): Promise<void> {
  await stop();
}

/**
 * `#blueprints` is the chosen module. What it imports by our names are our own copies wherever it lies: two copies of zod would not
 * know each other's schemas. Everything else resolves from the module's own folder.
 */
function ownCopies(blueprints: string): Plugin {
  return {
    name: "own-copies",
    setup(esbuild) {
      esbuild.onResolve({ filter: /^#blueprints$/ }, () => ({ path: blueprints }));
      esbuild.onResolve({ filter: /^(batuta|zod|@batuta\/worker)(\/|$)/ }, ({ path, kind, pluginData }) =>
        pluginData === "ours"
          ? undefined
          : esbuild.resolve(path, { kind, resolveDir: SOURCE_ROOT, pluginData: "ours" }),
      );
    },
  };
}

/** Compiles the module alone first, so that its mistakes are told as its own and not as those of the Worker that imports it. */
async function assertBlueprintModule(module: string): Promise<void> {
  if (!existsSync(module))
    throw new PlainError(
      `There is no file ${shown(module)}. Give --blueprints the path of a TypeScript or JavaScript module.`,
    );
  if (statSync(module).isDirectory()) {
    throw new PlainError(
      `${shown(module)} is a folder. Give --blueprints the module in it that exports the blueprints, for example ${shown(resolve(module, "index.ts"))}.`,
    );
  }
  const { metafile } = await compile(module, () =>
    build({
      absWorkingDir: SOURCE_ROOT,
      entryPoints: [module],
      outfile: "blueprints.js",
      write: false,
      metafile: true,
      format: "esm",
      logLevel: "silent",
    }),
  );
  const exported = Object.values(metafile.outputs).flatMap((output) => output.exports);
  if (!exported.includes("default")) {
    throw new PlainError(
      `${shown(module)} has no default export. End it with the list of its blueprints: export default [myBlueprint];`,
    );
  }
}

async function compile<Result>(module: string, run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    if (!isBuildFailure(error)) throw error;
    const places = error.errors.map(place).join("\n");
    throw new PlainError(
      `The Worker cannot be built with the blueprints of ${shown(module)}:\n${places}\nCorrect this and start again.`,
    );
  }
}

function isBuildFailure(error: unknown): error is { errors: Message[] } {
  return error instanceof Error && "errors" in error && Array.isArray(error.errors);
}

function place({ text, location, notes }: Message): string {
  const what = [text, ...notes.map((note) => note.text)].join(" ");
  if (location === null) return `  ${what}`;
  const at = `${shown(resolve(SOURCE_ROOT, location.file))}:${location.line}:${location.column + 1}`;
  return `  ${at}  ${what}\n      ${location.lineText.trim()}`;
}

/** A path as the user would type it. */
function shown(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith("..") || short === "" ? path : short;
}

async function writeOutputs(files: OutputFile[]): Promise<void> {
  await Promise.all(
    files.map(async ({ path, contents }) => {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, contents);
    }),
  );
}
