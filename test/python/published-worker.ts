import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { REPOSITORY } from "../support/batuta-server.ts";
import { ProcessGroup } from "../support/process-group.ts";
import { documentBlock } from "../support/readme-block.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const run = promisify(execFile);
/** What only takes time. */
const PIP = { PIP_DISABLE_PIP_VERSION_CHECK: "1", PIP_NO_COMPILE: "1" };
const GUIDE = "docs/how-to/python-worker.md";

/** A published release of the Python SDK, installed as the guide says. */
export interface Release {
  /** What its blocks of the guide end with. */
  readonly suffix: "" | "-early";
  /** Has the environment `python-worker`, and the README's blueprint in `hello.ts`. */
  readonly folder: string;
}

/** Runs the guide's commands in a folder below the repository, so that a blueprint there finds the package `batuta`. */
export async function install(suffix: Release["suffix"]): Promise<Release> {
  const ignored = join(REPOSITORY, ".batuta");
  mkdirSync(ignored, { recursive: true });
  const folder = temporaryFolder(ignored);
  await run("sh", ["-ec", documentBlock(GUIDE, `install${suffix}`)], { cwd: folder, env: { ...process.env, ...PIP } });
  writeFileSync(join(folder, "hello.ts"), documentBlock("README.md", "hello.ts"));
  for (const file of ["worker.py", "early_worker.py"]) writeFileSync(join(folder, file), documentBlock(GUIDE, file));
  return { suffix, folder };
}

/** Starts the guide's worker by the guide's own command. */
export function startGuided({ suffix, folder }: Release, url: string): ProcessGroup {
  const command = documentBlock(GUIDE, `start${suffix}`).replace("http://localhost:8080", url);
  return new ProcessGroup(["-ec", command], { program: "sh", cwd: folder, environment: { PYTHONUNBUFFERED: "1" } });
}

/** Runs one of the programs beside this file. */
export function startProgram(
  { folder }: Release,
  file: string,
  environment: Readonly<Record<string, string>>,
): ProcessGroup {
  const program = join(folder, "python-worker", "bin", "python");
  return new ProcessGroup([join(import.meta.dirname, file)], {
    program,
    cwd: folder,
    environment: { PYTHONUNBUFFERED: "1", ...environment },
  });
}
