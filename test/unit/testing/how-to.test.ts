import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { titledBlocks } from "../../support/titled-blocks.ts";

const run = promisify(execFile);
const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));
const blocks = titledBlocks(new URL("../../../docs/how-to/test-a-blueprint.md", import.meta.url));
const testFiles = [...blocks.keys()].filter((title) => title.endsWith(".test.ts"));
const tests = [...blocks.values()].flatMap((code) => [...code.matchAll(/^test\(/gm)]).length;

const folders: string[] = [];
function folderOf(parent: string, files: Iterable<readonly [string, string]>): string {
  const folder = mkdtempSync(join(parent, "how-to-"));
  folders.push(folder);
  for (const [title, code] of files) writeFileSync(join(folder, title), code);
  return folder;
}
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** Without what this test run itself sets. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(NODE_|VITEST)/.test(name)));

async function node(cwd: string, ...args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await run(process.execPath, args, { cwd, env }).catch((error: unknown) => {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${args.join(" ")} failed:\n${stdout}\n${stderr}`);
  });
  return stdout + stderr;
}

test("the page has tests to run", () => {
  expect(testFiles).toEqual(["expenses.test.ts", "late.test.ts", "decision.test.ts"]);
  expect(tests).toBeGreaterThanOrEqual(8);
});

test("below the repository they run with nothing but Node", async () => {
  // Git does not look there.
  const ignored = join(REPOSITORY, ".batuta");
  mkdirSync(ignored, { recursive: true });
  const folder = folderOf(ignored, blocks);
  expect(await node(folder, "--conditions=batuta-source", "--test", "--test-reporter=tap")).toContain(
    `# pass ${tests}`,
  );
}, 30_000);

describe("in a project of its own that has batuta installed from its folder", () => {
  let project: string;
  beforeAll(() => {
    // Vitest has a test function of its own.
    const vitest = (code: string) => code.replace('from "node:test"', 'from "vitest"');
    project = folderOf(
      tmpdir(),
      [...blocks].map(([title, code]) => [title, vitest(code)] as const),
    );
    writeFileSync(join(project, "package.json"), '{ "name": "mine", "type": "module" }');
    const installed = join(project, "node_modules");
    mkdirSync(join(installed, "@types"), { recursive: true });
    symlinkSync(REPOSITORY, join(installed, "batuta"));
    for (const name of ["zod", "vitest", "@types/node"]) {
      symlinkSync(join(REPOSITORY, "node_modules", name), join(installed, name));
    }
  });

  test("Vitest runs them", async () => {
    const output = await node(project, join(REPOSITORY, "node_modules/vitest/vitest.mjs"), "run", "--no-color");
    expect(output).toMatch(new RegExp(`Tests\\s+${tests} passed`));
  }, 30_000);

  test("the compiler accepts them", async () => {
    await expect(
      node(project, join(REPOSITORY, "node_modules/typescript/bin/tsc"), "--project", project),
    ).resolves.toBe("");
  }, 30_000);
});
