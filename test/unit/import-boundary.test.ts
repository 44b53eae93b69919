import { globSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const PURE = [
  "src/{blueprint,job,schedule,testing}/**/*.ts",
  "src/dispatch/{matching,strategies,lines,look,waiting-list,offer}.ts",
];
const FILES = globSync(PURE, { cwd: ROOT }).toSorted();

const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']/g;
const COMMENTS = /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm;
/** Time, chance and the outside are given to the engine, so that tests own them and a step can be run again. */
const IMPURE =
  /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bperformance\.now\b|\bsetTimeout\b|\bsetInterval\b|\bfetch\(|\bcrypto\b|\bprocess\b/;

function codeOf(file: string): string {
  return readFileSync(join(ROOT, file), "utf8").replace(COMMENTS, "");
}

/** What a file imports: packages as they are, files relative to the root. */
function importsOf(file: string): string[] {
  const targets = [...codeOf(file).matchAll(IMPORT)].map(([, target = ""]) => target);
  return targets.map((target) => (target.startsWith(".") ? posix.join(posix.dirname(file), target) : target));
}

/** All files that the pure ones reach, over however many imports. */
function reachable(): string[] {
  const seen = new Set(FILES);
  for (const file of seen) for (const target of importsOf(file)) if (target.endsWith(".ts")) seen.add(target);
  return [...seen];
}

test("the pure engine is all there", () => {
  expect(FILES.length).toBeGreaterThanOrEqual(20);
  expect(FILES).toEqual(
    expect.arrayContaining(["src/job/take-result.ts", "src/dispatch/offer.ts", "src/blueprint/index.ts"]),
  );
});

describe.each(FILES)("%s", (file) => {
  test("imports neither the platform nor what depends on it", () => {
    for (const target of importsOf(file)) {
      expect(target).not.toMatch(/^cloudflare:|^node:|^durable-objects\/|^src\/http\//);
    }
  });

  test("knows neither the time nor chance", () => {
    expect(codeOf(file)).not.toMatch(IMPURE);
  });
});

test("nothing that the pure engine reaches imports the platform either", () => {
  const culprits = reachable().flatMap((file) =>
    importsOf(file)
      .filter((target) => /^cloudflare:|^durable-objects\//.test(target))
      .map((target) => `${file} → ${target}`),
  );
  expect(culprits).toEqual([]);
});
