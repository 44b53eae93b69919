/**
 * What the blueprint `photos` asks of its workers and what they answer. Both sides import this file, so that a
 * change on one side does not compile on the other.
 *
 * Pictures go by their name: the path below the job's folder, written with `/`. It tells apart pictures of the same
 * name in different subfolders, and it is short: a job of a thousand pictures stays within its 256 KB.
 *
 * @module
 */
import { z } from "zod";

/** A picture as it was found: size in pixels the right way up, size in bytes, dominant colour as `#rrggbb`. */
export const inspectedPicture = z.object({
  name: z.string(),
  width: z.int().positive(),
  height: z.int().positive(),
  format: z.string(),
  bytes: z.int().positive(),
  colour: z.string().regex(/^#[0-9a-f]{6}$/),
});
export type InspectedPicture = z.infer<typeof inspectedPicture>;

/** A picture without a place in the result, and why, in words for a person. */
export const unreadablePicture = z.object({ name: z.string(), reason: z.string() });
export type UnreadablePicture = z.infer<typeof unreadablePicture>;

/** `inspect_picture` answers an {@link inspectedPicture}, or fails with INVALID_INPUT_ERROR. */
export const inspectParams = z.object({ folder: z.string(), picture: z.string() });
export type InspectParams = z.infer<typeof inspectParams>;

/** `make_thumbnails`: one WebP file per width below `output`. */
export const thumbnailParams = z.object({
  folder: z.string(),
  picture: z.string(),
  output: z.string(),
  widths: z.array(z.int().min(16).max(4096)).min(1).max(10),
});
export type ThumbnailParams = z.infer<typeof thumbnailParams>;

/** A thumbnail; `file` is its path below `output`. */
const thumbnail = z.object({
  file: z.string(),
  width: z.int().positive(),
  height: z.int().positive(),
  bytes: z.int().positive(),
});
export type Thumbnail = z.infer<typeof thumbnail>;

export const thumbnailsMade = z.object({ picture: z.string(), thumbnails: z.array(thumbnail) });
export type ThumbnailsMade = z.infer<typeof thumbnailsMade>;

/** `contact_sheet`: sheets and report about pictures whose thumbnails of these widths are made. */
export const sheetParams = z.object({
  title: z.string(),
  output: z.string(),
  widths: z.array(z.int().positive()).min(1),
  pictures: z.array(inspectedPicture),
  unreadable: z.array(unreadablePicture),
});
export type SheetParams = z.infer<typeof sheetParams>;

/** The files that `contact_sheet` made, as paths below `output`. */
export const sheetsMade = z.object({ sheets: z.array(z.string()), report: z.string() });
export type SheetsMade = z.infer<typeof sheetsMade>;
