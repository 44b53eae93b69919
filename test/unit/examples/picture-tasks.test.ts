import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeContactSheets } from "../../../examples/photos/imaging/contact-sheet.ts";
import { inspectPicture } from "../../../examples/photos/imaging/inspect.ts";
import { UnreadablePictureError } from "../../../examples/photos/imaging/open-picture.ts";
import { makeThumbnails, thumbnailFile } from "../../../examples/photos/imaging/thumbnails.ts";
import { type InspectedPicture, inspectedPicture, thumbnailsMade } from "../../../examples/photos/tasks.ts";

const SHIPPED = join(import.meta.dirname, "../../../examples/photos/pictures");
const WIDTHS = [160, 320, 640];
const BROKEN = "broken-on-purpose.jpg";

let output: string;

beforeEach(async () => {
  output = await mkdtemp(join(tmpdir(), "picture-tasks-"));
});

afterEach(async () => {
  await rm(output, { recursive: true });
});

async function shippedPictures(): Promise<string[]> {
  return (await readdir(SHIPPED)).filter((name) => name !== BROKEN);
}

async function sheetsOf(pictures: InspectedPicture[], unreadable: { name: string; reason: string }[], title = "Test") {
  const heard: number[] = [];
  const made = await makeContactSheets(
    { title, output, widths: WIDTHS, pictures, unreadable },
    { onProgress: (progress) => heard.push(progress), signal: new AbortController().signal },
  );
  return { made, heard, report: JSON.parse(await readFile(join(output, made.report), "utf8")) };
}

describe("inspect_picture", () => {
  it("tells size, format and colour of every picture that comes with the demo", async () => {
    const names = await shippedPictures();
    expect(names).toHaveLength(8);
    for (const picture of names) {
      const found = await inspectPicture({ folder: SHIPPED, picture });
      expect(inspectedPicture.parse(found)).toEqual(found);
    }
  });

  it("knows AVIF by its own name", async () => {
    expect((await inspectPicture({ folder: SHIPPED, picture: "balloons.avif" })).format).toBe("avif");
  });

  it("sees a picture that lies on its side as it is meant to be seen", async () => {
    expect(await sharp(join(SHIPPED, "lake.jpg")).metadata()).toMatchObject({
      width: 1200,
      height: 800,
      orientation: 6,
    });
    expect(await inspectPicture({ folder: SHIPPED, picture: "lake.jpg" })).toMatchObject({ width: 800, height: 1200 });
  });

  it("finds the colour that covers most of a picture, seen on white paper", async () => {
    await sharp({ create: { width: 30, height: 30, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } } })
      .png()
      .toFile(join(output, "clear.png"));
    const { colour } = await inspectPicture({ folder: output, picture: "clear.png" });
    expect(Number.parseInt(colour.slice(1, 3), 16)).toBeGreaterThan(240);
  });

  it.each([
    ["cut off", async () => (await readFile(join(SHIPPED, "dunes.jpg"))).subarray(0, 9_000)],
    ["empty", () => Promise.resolve(Buffer.alloc(0))],
    ["text", () => Promise.resolve(Buffer.from("not a picture"))],
  ])("reports a file that is %s", async (_, content) => {
    await writeFile(join(output, "bad.jpg"), await content());
    const inspection = inspectPicture({ folder: output, picture: "bad.jpg" });
    await expect(inspection).rejects.toThrow(UnreadablePictureError);
    await expect(inspection).rejects.toThrow(/^The file cannot be decoded: .{5,}/);
  });

  it("reports the picture that is broken on purpose and one that is not there", async () => {
    await expect(inspectPicture({ folder: SHIPPED, picture: BROKEN })).rejects.toThrow(/cannot be decoded/);
    await expect(inspectPicture({ folder: SHIPPED, picture: "none.jpg" })).rejects.toThrow("The file is not there.");
  });

  it.each(["../secret.jpg", "/etc/passwd", "a/../../b.jpg", "."])(
    "does not follow %s out of the folder",
    async (picture) => {
      await expect(inspectPicture({ folder: SHIPPED, picture })).rejects.toThrow("The name leads out of the folder.");
    },
  );
});

describe("make_thumbnails", () => {
  it("makes one file per width, and the same files again", async () => {
    const params = { folder: SHIPPED, picture: "dunes.jpg", output, widths: WIDTHS };
    const [made, again] = await Promise.all([makeThumbnails(params), makeThumbnails(params)]);
    expect(thumbnailsMade.parse(made)).toEqual(again);
    expect(made.thumbnails.map(({ width, height }) => [width, height])).toEqual([
      [160, 107],
      [320, 214],
      [640, 427],
    ]);
    expect((await readdir(join(output, "thumbnails"))).toSorted()).toEqual([
      "dunes.jpg-160.webp",
      "dunes.jpg-320.webp",
      "dunes.jpg-640.webp",
    ]);
    for (const { file, width, bytes } of made.thumbnails) {
      const content = await readFile(join(output, file));
      expect(content).toHaveLength(bytes);
      expect(await sharp(content).metadata()).toMatchObject({ format: "webp", width });
    }
  });

  it("turns a picture upright", async () => {
    const { thumbnails } = await makeThumbnails({ folder: SHIPPED, picture: "lake.jpg", output, widths: [160] });
    expect(thumbnails).toMatchObject([{ width: 160, height: 240 }]);
  });

  it("enlarges nothing, and makes no endless thumbnail of an endless strip", async () => {
    await sharp({ create: { width: 50, height: 4000, channels: 3, background: "red" } })
      .png()
      .toFile(join(output, "strip.png"));
    await sharp({ create: { width: 50, height: 40, channels: 3, background: "red" } })
      .png()
      .toFile(join(output, "stamp.png"));
    const strip = await makeThumbnails({ folder: output, picture: "strip.png", output, widths: [160] });
    const stamp = await makeThumbnails({ folder: output, picture: "stamp.png", output, widths: [160] });
    expect(strip.thumbnails).toMatchObject([{ width: 4, height: 320 }]);
    expect(stamp.thumbnails).toMatchObject([{ width: 50, height: 40 }]);
  });

  it("gives pictures of the same name in other folders or formats files of their own", () => {
    const names = ["a.jpg", "a.png", "b/a.jpg", "b-a.jpg", "a.jpg-160.webp"];
    const files = names.flatMap((name) => WIDTHS.map((width) => thumbnailFile(name, width)));
    expect(new Set(files).size).toBe(files.length);
  });

  it("does not blame the picture for a disk that cannot be written", async () => {
    await writeFile(join(output, "thumbnails"), "in the way");
    const made = makeThumbnails({ folder: SHIPPED, picture: "dunes.jpg", output, widths: WIDTHS });
    await expect(made).rejects.toThrow(/EEXIST|ENOTDIR/);
    await expect(made).rejects.not.toThrow(UnreadablePictureError);
  });
});

describe("contact_sheet", () => {
  it("makes a sheet that opens and a report of everything", async () => {
    const pictures: InspectedPicture[] = [];
    for (const picture of await shippedPictures()) {
      pictures.push(await inspectPicture({ folder: SHIPPED, picture }));
      await makeThumbnails({ folder: SHIPPED, picture, output, widths: WIDTHS });
    }
    const unreadable = [{ name: BROKEN, reason: "It is torn." }];
    const { made, heard, report } = await sheetsOf(pictures, unreadable);

    expect(made).toEqual({ sheets: ["contact-sheet.jpg"], report: "report.json" });
    expect(heard.at(-1)).toBe(1);
    const sheet = sharp(join(output, "contact-sheet.jpg"));
    expect(await sheet.metadata()).toMatchObject({ format: "jpeg", width: 1148, height: 1198 });
    // The middle of the first cell is a balloon, not the page.
    const { dominant } = await sharp(
      await sheet.extract({ left: 60, top: 150, width: 300, height: 60 }).toBuffer(),
    ).stats();
    expect(dominant.b).toBeGreaterThan(150);
    expect(report).toMatchObject({ title: "Test", sheets: made.sheets, unreadable });
    expect(report.pictures.flatMap((picture: { thumbnails: unknown[] }) => picture.thumbnails)).toHaveLength(24);
  });

  it("still makes a sheet and a report when no picture could be read, whatever their names are", async () => {
    const unreadable = ['<a> & "b".jpg', "control\u0001.jpg", "日本語の写真.jpg", "\ud800.jpg"].map((name) => ({
      name,
      reason: "No.",
    }));
    const { made, report } = await sheetsOf([], unreadable, "<Title> & more");
    expect(report).toMatchObject({ pictures: [], unreadable: { length: 4 } });
    expect((await sharp(join(output, made.sheets[0] ?? "")).metadata()).format).toBe("jpeg");
  });

  it("ends early when its work is no longer wanted", async () => {
    const picture = await inspectPicture({ folder: SHIPPED, picture: "dunes.jpg" });
    const signal = AbortSignal.abort(new Error("cancelled"));
    const params = { title: "Test", output, widths: WIDTHS, pictures: [picture], unreadable: [] };
    await expect(makeContactSheets(params, { onProgress: () => {}, signal })).rejects.toThrow("cancelled");
  });
});
