import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readPictureFolder } from "../../../examples/photos/demo/picture-folder.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "picture-folder-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function put(...names: string[]): Promise<void> {
  for (const name of names) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), "");
  }
}

describe("readPictureFolder", () => {
  it("finds pictures in subfolders too, in order, whatever the case of their extension", async () => {
    await put("b.JPG", "a.png", "more/c.webp", "more/deeper/d.tiff", "notes.txt", "jpg");
    const { pictures, leftOut } = await readPictureFolder(folder, "");
    expect(pictures).toEqual(["a.png", "b.JPG", "more/c.webp", "more/deeper/d.tiff"]);
    expect(leftOut).toBe(0);
  });

  it("leaves out hidden files and its own output", async () => {
    await put("a.png", ".b.png", ".cache/c.png", "out/contact-sheet.jpg");
    expect((await readPictureFolder(folder, join(folder, "out"))).pictures).toEqual(["a.png"]);
  });

  it("follows links to files but not to folders, which may lead in circles", async () => {
    await put("a.png");
    await symlink(join(folder, "a.png"), join(folder, "b.png"));
    await symlink(folder, join(folder, "circle.png"));
    await symlink(join(folder, "nowhere"), join(folder, "c.png"));
    expect((await readPictureFolder(folder, "")).pictures).toEqual(["a.png", "b.png"]);
  });

  it("takes a thousand pictures and says how many are left out", async () => {
    await put(...Array.from({ length: 1003 }, (_, at) => `${String(at).padStart(4, "0")}.png`));
    const { pictures, leftOut } = await readPictureFolder(folder, "");
    expect(pictures).toHaveLength(1000);
    expect(pictures.at(-1)).toBe("0999.png");
    expect(leftOut).toBe(3);
  });

  it("takes fewer when their names are so long that a job could not hold them", async () => {
    const long = "x".repeat(240);
    await put(...Array.from({ length: 500 }, (_, at) => `${long}${at}.png`));
    const { pictures, leftOut } = await readPictureFolder(folder, "");
    expect(Buffer.byteLength(pictures.join(""))).toBeLessThanOrEqual(96 * 1024);
    expect(pictures.length + leftOut).toBe(500);
    expect(leftOut).toBeGreaterThan(0);
  });

  it("says plainly what is wrong with a folder", async () => {
    await put("file.txt");
    await expect(readPictureFolder(join(folder, "none"), "")).rejects.toThrow(
      /^There is no folder .*none\. Check the path\.$/,
    );
    await expect(readPictureFolder(join(folder, "file.txt"), "")).rejects.toThrow(/file\.txt is not a folder/);
    await expect(readPictureFolder(folder, "")).rejects.toThrow(/^There are no pictures in .* \(looked for \.jpg /);
  });
});
