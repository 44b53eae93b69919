import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { bundleWorker, endBundler } from "../../../cli/src/bundle.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "batuta-blueprints-"));
});
afterEach(() => rm(folder, { recursive: true }));
afterAll(endBundler);

async function write(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

describe("a module of blueprints", () => {
  test("is bundled from anywhere, with our own batuta and zod and its own other imports", async () => {
    await write("name.ts", 'export const name: string = "from the neighbour";');
    const blueprints = await write(
      "mine.ts",
      'import { blueprint } from "batuta";\nimport { z } from "zod";\nimport { name } from "./name.ts";\nexport default [{ blueprint, z, name }];',
    );
    const { code, bytes } = await bundleWorker({ blueprints });
    expect(code).toContain("from the neighbour");
    expect(bytes).toBe(Buffer.byteLength(code));
    expect(code.match(/ZodError = /g)).toHaveLength((await bundleWorker()).code.match(/ZodError = /g)?.length ?? 0);
  });

  test("with a mistake in its syntax is refused with the place", async () => {
    const blueprints = await write("broken.ts", "const a = 1;\nexport default [a;\n");
    await expect(bundleWorker({ blueprints })).rejects.toThrow(/broken\.ts:2:18 {2}Expected "]" but found ";"/);
  });

  test("that imports what is not there is refused with the place", async () => {
    const blueprints = await write("lost.ts", 'import x from "./nowhere.ts";\nexport default [x];');
    await expect(bundleWorker({ blueprints })).rejects.toThrow(/lost\.ts:1:15 {2}Could not resolve ".\/nowhere.ts"/);
  });

  test("without a default export is refused with what to write", async () => {
    const blueprints = await write("named.ts", "export const blueprints = [];");
    await expect(bundleWorker({ blueprints })).rejects.toThrow(
      "End it with the list of its blueprints: export default",
    );
  });

  test("that is not there or is a folder is refused", async () => {
    await expect(bundleWorker({ blueprints: join(folder, "none.ts") })).rejects.toThrow("There is no file");
    await expect(bundleWorker({ blueprints: folder })).rejects.toThrow("is a folder");
  });
});

test("the bundle imports nothing but the platform", async () => {
  const { code } = await bundleWorker();
  const imports = [...code.matchAll(/^import .*?["']([^"']+)["'];?$/gm)].map(([, from]) => from);
  expect(imports.filter((from) => !/^(cloudflare|node):/.test(from ?? ""))).toEqual([]);
});
