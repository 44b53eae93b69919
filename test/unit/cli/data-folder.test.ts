import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { takeDataFolder } from "../../../cli/src/server/data-folder.ts";

let parent: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "batuta-data-"));
});
afterEach(() => rm(parent, { recursive: true }));

describe("the data folder", () => {
  test("is made with all folders above it, for its owner only", async () => {
    const path = join(parent, "deep", "er");
    takeDataFolder(path).release();
    expect((await stat(path)).mode & 0o777).toBe(0o700);
  });

  test("belongs to one server at a time", () => {
    const first = takeDataFolder(parent);
    expect(() => takeDataFolder(parent)).toThrow("in use by another Batuta server");
    first.release();
    takeDataFolder(parent).release();
  });

  test("is refused with the reason when a part of its path is a file", async () => {
    await writeFile(join(parent, "file"), "");
    expect(() => takeDataFolder(join(parent, "file", "data"))).toThrow("a part of the path is a file, not a folder");
  });

  test("does not have to be makeable", { skip: process.platform !== "linux" }, () => {
    expect(() => takeDataFolder("/proc/batuta")).toThrow("The data folder /proc/batuta cannot be used");
  });
});
