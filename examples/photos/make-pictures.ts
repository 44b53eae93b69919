/**
 * Draws the demo's pictures into `pictures/`. Run it once after a change of the scenes:
 * `node examples/photos/make-pictures.ts`
 *
 * @module
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp, { type Sharp } from "sharp";
import { balloons, dunes, lake, mountains } from "./samples/day-scenes.ts";
import { city, forest, northernLights, seaAtNight } from "./samples/night-scenes.ts";
import type { Scene } from "./samples/scene.ts";

/** Length of the broken picture: enough to be recognised as a JPEG, too short to hold a pixel. */
const BROKEN_BYTES = 300;

function drawn(scene: Scene): Sharp {
  return sharp(Buffer.from(scene.svg)).flatten();
}

/** As a phone held upright stores it: the pixels lie on their side and the EXIF orientation says how to turn them. */
async function onItsSide(scene: Scene): Promise<Sharp> {
  const turned = await drawn(scene).rotate(270).png().toBuffer();
  return sharp(turned).withMetadata({ orientation: 6 });
}

const folder = join(import.meta.dirname, "pictures");
await mkdir(folder, { recursive: true });

const dunesFile = await drawn(dunes()).jpeg({ quality: 80, mozjpeg: true }).toBuffer();
const lakeOnItsSide = await onItsSide(lake());
const files: Record<string, Buffer> = {
  "balloons.avif": await drawn(balloons()).avif({ quality: 55 }).toBuffer(),
  "city.jpg": await drawn(city()).jpeg({ quality: 78, mozjpeg: true }).toBuffer(),
  "dunes.jpg": dunesFile,
  "forest.webp": await drawn(forest()).webp({ quality: 80 }).toBuffer(),
  "lake.jpg": await lakeOnItsSide.jpeg({ quality: 78, mozjpeg: true }).toBuffer(),
  "mountains.png": await drawn(mountains())
    .png({ palette: true, colours: 128, dither: 0, compressionLevel: 9 })
    .toBuffer(),
  "northern-lights.jpg": await drawn(northernLights()).jpeg({ quality: 80, mozjpeg: true }).toBuffer(),
  "sea-at-night.webp": await drawn(seaAtNight()).webp({ quality: 82 }).toBuffer(),
  "broken-on-purpose.jpg": dunesFile.subarray(0, BROKEN_BYTES),
};
for (const [name, bytes] of Object.entries(files)) {
  await writeFile(join(folder, name), bytes);
  console.log(`${name}  ${bytes.length} bytes`);
}
