import { join } from "node:path";
import sharp, { type Sharp } from "sharp";
import type { Thumbnail, ThumbnailParams, ThumbnailsMade } from "../tasks.ts";
import { picturePath, readPicture } from "./open-picture.ts";
import { writeWholeFile } from "./whole-file.ts";

/**
 * Where a thumbnail lies below the output folder. The picture's whole name stays in it, subfolder and extension too,
 * so no two pictures share a thumbnail.
 */
export function thumbnailFile(name: string, width: number): string {
  return `thumbnails/${name}-${width}.webp`;
}

/** At most `width` wide and twice as high: a tall strip must not become a tall strip of a thumbnail. */
function shrink(picture: Sharp, width: number): Sharp {
  return picture.resize({ width, height: width * 2, fit: "inside", withoutEnlargement: true });
}

/**
 * Makes one WebP file per width. A picture is never enlarged. Doing it again writes the same files again.
 * @throws {UnreadablePictureError} when the picture is at fault; any other error is the disk's
 */
export async function makeThumbnails(params: ThumbnailParams): Promise<ThumbnailsMade> {
  const { folder, picture: name, output, widths } = params;
  const largest = Math.max(...widths);
  // Decoded once: the smaller ones are made from the largest.
  const { data, info } = await readPicture(picturePath(folder, name), (picture) =>
    shrink(picture, largest).toColourspace("srgb").raw().toBuffer({ resolveWithObject: true }),
  );
  const raw = { width: info.width, height: info.height, channels: info.channels };
  const thumbnails: Thumbnail[] = [];
  for (const width of widths) {
    const made = await shrink(sharp(data, { raw }), width).webp({ quality: 80 }).toBuffer({ resolveWithObject: true });
    const file = thumbnailFile(name, width);
    await writeWholeFile(join(output, file), made.data);
    thumbnails.push({ file, width: made.info.width, height: made.info.height, bytes: made.data.length });
  }
  return { picture: name, thumbnails };
}
