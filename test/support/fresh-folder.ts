import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { packWorker, type WorkerPackage } from "../../scripts/worker-package.ts";
import { REPOSITORY } from "./batuta-server.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** Packages that a worker needs or may have; they come from this repository, so that no registry is asked. */
const NEEDED = ["zod", "aws4fetch"];

let packed: Promise<WorkerPackage> | undefined;

/** The package `@batuta/worker` as it is published; made once for all tests of a file. */
export function workerPackage(): Promise<WorkerPackage> {
  packed ??= packWorker(temporaryFolder());
  return packed;
}

/** A folder of a new user, in which `@batuta/worker` has been installed. */
export async function freshFolder(): Promise<string> {
  const { tarball } = await workerPackage();
  const folder = temporaryFolder();
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }\n');
  const modules = join(folder, "node_modules");
  mkdirSync(join(modules, "@batuta"), { recursive: true });
  cpSync(join(dirname(tarball), "package"), join(modules, "@batuta", "worker"), { recursive: true });
  for (const name of NEEDED) symlinkSync(join(REPOSITORY, "node_modules", name), join(modules, name));
  return folder;
}
