import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";

const ROOT = new URL("../../../", import.meta.url);

const named = z.record(z.string(), z.string()).default({});
const manifest = z.object({
  name: z.string(),
  dependencies: named,
  devDependencies: named,
  optionalDependencies: named,
  peerDependencies: named,
});

const manifests = ["package.json", "worker-sdk/package.json", "cli/package.json"].map((file) =>
  manifest.parse(JSON.parse(readFileSync(new URL(file, ROOT), "utf8"))),
);
const own = new Set(manifests.map(({ name }) => name));
const exact = manifests.flatMap((each) => [
  ...Object.entries(each.dependencies),
  ...Object.entries(each.devDependencies),
  ...Object.entries(each.optionalDependencies),
]);
const all = new Set([
  ...exact.map(([name]) => name),
  ...manifests.flatMap((each) => Object.keys(each.peerDependencies)),
]);

test("every dependency is on the page that says why, and nothing else is", () => {
  const page = readFileSync(new URL("docs/adr/0005-dependencies.md", ROOT), "utf8");
  const rows = page.split("\n").filter((line) => line.startsWith("| "));
  const listed = rows.slice(1).flatMap((row) => row.split("|")[1]?.trim().split(", ") ?? []);
  expect(listed.toSorted()).toEqual([...all].filter((name) => !own.has(name)).toSorted());
});

test("each has one version, exactly", () => {
  for (const [name, version] of exact)
    expect(`${name} ${version}`).toMatch(/ (?:npm:@[\w/-]+@)?\d+\.\d+\.\d+(?:-beta)?$/);
  for (const [name, version] of exact) {
    const versions = exact.filter(([other]) => other === name).map(([, each]) => each);
    expect([name, ...new Set(versions)]).toEqual([name, version]);
  }
});
