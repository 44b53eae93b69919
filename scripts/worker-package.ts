import { execFile } from "node:child_process";
import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { toolCommand } from "./tool-command.mjs";

const run = promisify(execFile);
const REPOSITORY = join(import.meta.dirname, "..");
const SOURCE = join(REPOSITORY, "worker-sdk");

const manifest = z.looseObject({ exports: z.record(z.string(), z.record(z.string(), z.string())) });

/** What is in the package, by path, with sizes in bytes. */
export interface WorkerPackage {
  readonly tarball: string;
  readonly files: ReadonlyMap<string, number>;
}

/**
 * Makes the package `@batuta/worker` as it is published: compiled, with types, README and licence, and without what only this
 * repository needs.
 * @param folder for the tarball; its subfolder `package` is made anew
 * @throws {Error} when it does not compile, or npm does not pack it
 */
export async function packWorker(folder: string): Promise<WorkerPackage> {
  const stage = join(folder, "package");
  await rm(stage, { recursive: true, force: true });
  await mkdir(stage, { recursive: true });
  await compile(join(stage, "dist"));
  await cp(join(SOURCE, "README.md"), join(stage, "README.md"));
  await cp(join(REPOSITORY, "LICENSE"), join(stage, "LICENSE"));
  await writeFile(join(stage, "package.json"), await publishedManifest());
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const { stdout } = await run(npm, ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], {
    cwd: stage,
    shell: process.platform === "win32",
  });
  const filename = z
    .union([z.array(z.object({ filename: z.string() })), z.record(z.string(), z.object({ filename: z.string() }))])
    .transform((packed) => Object.values(packed)[0]?.filename)
    .parse(JSON.parse(stdout));
  if (filename === undefined) throw new Error(`npm pack did not say what it made: ${stdout}`);
  return { tarball: join(folder, filename), files: await sizesIn(stage) };
}

async function compile(outDir: string): Promise<void> {
  const project = join(SOURCE, "tsconfig.build.json");
  await run(process.execPath, [toolCommand("tsc"), "--project", project, "--outDir", outDir]);
  for (const name of await readdir(outDir, { recursive: true })) {
    if (!name.endsWith(".d.ts")) continue;
    // The compiler rewrites the imports of programs only.
    const file = join(outDir, name);
    const types = await readFile(file, "utf8");
    await writeFile(file, types.replace(/(from "|import\(")(\.[^"]+)\.ts"/g, '$1$2.js"'));
  }
}

/** The manifest without the way to the sources that the repository's own imports take. */
async function publishedManifest(): Promise<string> {
  const { exports, ...published } = manifest.parse(JSON.parse(await readFile(join(SOURCE, "package.json"), "utf8")));
  const entries = Object.entries(exports).map(([path, { "batuta-source": _source, ...conditions }]) => [
    path,
    conditions,
  ]);
  return `${JSON.stringify({ ...published, exports: Object.fromEntries(entries) }, undefined, 2)}\n`;
}

async function sizesIn(folder: string): Promise<Map<string, number>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const sizes = await Promise.all(
    files.map(async (file) => [file.slice(folder.length + 1), (await stat(file)).size] as const),
  );
  return new Map(sizes.toSorted(([one], [other]) => (one < other ? -1 : 1)));
}
