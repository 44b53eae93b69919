import { stat } from "node:fs/promises";
import sharp from "sharp";
import type { InspectedPicture, InspectParams } from "../tasks.ts";
import { picturePath, readPicture } from "./open-picture.ts";

/** Edge in pixels of the copy that the dominant colour is counted on. */
const SAMPLE_EDGE = 96;

function hex(channel: number): string {
  return channel.toString(16).padStart(2, "0");
}

/**
 * Size, format and dominant colour of a picture. The whole picture is decoded, so what passes here can be resized.
 * @throws {UnreadablePictureError}
 */
export async function inspectPicture({ folder, picture: name }: InspectParams): Promise<InspectedPicture> {
  const path = picturePath(folder, name);
  return readPicture(path, async (picture) => {
    const { size } = await stat(path);
    const { format, compression, autoOrient } = await picture.metadata();
    // `stats` looks at the input, not at the pipeline: the small copy has to be a picture of its own.
    const sample = await picture
      .resize(SAMPLE_EDGE, SAMPLE_EDGE, { fit: "inside" })
      .flatten({ background: "#ffffff" })
      .toColourspace("srgb")
      .raw()
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = sample.info;
    const { dominant } = await sharp(sample.data, { raw: { width, height, channels } }).stats();
    return {
      name,
      width: autoOrient.width,
      height: autoOrient.height,
      // AVIF is AV1 in a HEIF container; people know it by its own name.
      format: compression === "av1" ? "avif" : format,
      bytes: size,
      colour: `#${hex(dominant.r)}${hex(dominant.g)}${hex(dominant.b)}`,
    };
  });
}
