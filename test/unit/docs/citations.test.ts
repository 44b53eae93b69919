import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../../..");
const CODE = "{src,durable-objects,worker-sdk/src,cli/src,test,bench,scripts,examples,blueprints}/**/*.{ts,mjs,js,sql}";
const CITATION = /\b(?:spec §\d+|reference [A-J]\.\d+(?:(?:,| and) [A-J]\.\d+)*)/g;

test("the page on Avtomatika says what comments cite, and nothing else", () => {
  const files = globSync(CODE, { cwd: ROOT }).filter((file) => !file.endsWith("citations.test.ts"));
  // A comment may break its line within a citation.
  const texts = files.map((file) => readFileSync(join(ROOT, file), "utf8").replace(/\s*\n\s*\*?\s*/g, " "));
  const cited = texts.flatMap((text) =>
    [...text.matchAll(CITATION)].flatMap(([words]) =>
      words.startsWith("spec")
        ? [words]
        : [...words.matchAll(/[A-J]\.\d+/g)].map(([section]) => `reference ${section}`),
    ),
  );
  const page = readFileSync(join(ROOT, "docs/explanation/avtomatika.md"), "utf8");
  const told = [...page.matchAll(/^\| ((?:spec|reference) \S+) \|/gm)].map(([, citation = ""]) => citation);
  expect(told.toSorted()).toEqual([...new Set(cited)].toSorted());
});
