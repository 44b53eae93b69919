import { stat } from "node:fs/promises";
import { join } from "node:path";
import sharp, { type OverlayOptions } from "sharp";
import type { InspectedPicture, SheetParams, SheetsMade, Thumbnail } from "../tasks.ts";
import { drawSheet, type SheetCell } from "./sheet-drawing.ts";
import { CELL, divideIntoSheets, layOutSheet } from "./sheet-layout.ts";
import { thumbnailFile } from "./thumbnails.ts";
import { writeWholeFile } from "./whole-file.ts";

export interface SheetWork {
  /** Told how far the work is, from 0 to 1, and what is being done. */
  readonly onProgress: (progress: number, message: string) => void;
  /** Ends the work early. */
  readonly signal: AbortSignal;
}

const REPORT_FILE = "report.json";

/** The first sheet has the plain name; a second one and those after it carry their number. */
function sheetFile(sheet: number): string {
  return sheet === 0 ? "contact-sheet.jpg" : `contact-sheet-${sheet + 1}.jpg`;
}

function subtitleOf({ pictures, unreadable }: SheetParams, sheet: number, sheets: number): string {
  const parts = [pictures.length === 1 ? "1 picture" : `${pictures.length} pictures`];
  if (unreadable.length > 0) parts.push(`${unreadable.length} could not be read`);
  if (sheets > 1) parts.push(`sheet ${sheet + 1} of ${sheets}`);
  return parts.join(" · ");
}

/** The thumbnail to place on a sheet: the smallest one that fills its cell. */
function widthForSheet(widths: readonly number[]): number {
  const enough = widths.filter((width) => width >= CELL.pictureWidth);
  return enough.length > 0 ? Math.min(...enough) : Math.max(...widths);
}

async function placePicture(path: string, cell: { left: number; top: number }): Promise<OverlayOptions> {
  const { data, info } = await sharp(path)
    .resize(CELL.pictureWidth, CELL.pictureHeight, { fit: "inside", withoutEnlargement: true })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return {
    input: data,
    raw: { width: info.width, height: info.height, channels: info.channels },
    left: cell.left + CELL.padding + Math.floor((CELL.pictureWidth - info.width) / 2),
    top: cell.top + CELL.padding + Math.floor((CELL.pictureHeight - info.height) / 2),
  };
}

async function thumbnailsOf(output: string, name: string, widths: readonly number[]): Promise<Thumbnail[]> {
  return Promise.all(
    widths.map(async (wanted) => {
      const file = thumbnailFile(name, wanted);
      const path = join(output, file);
      const [{ size }, { width, height }] = await Promise.all([stat(path), sharp(path).metadata()]);
      return { file, width, height, bytes: size };
    }),
  );
}

/**
 * Makes the contact sheets (JPEG, {@link divideIntoSheets}) and the report (JSON) of pictures whose thumbnails are made.
 * Doing it again writes the same files again. One sheet at a time is held in memory, about 60 MB.
 */
export async function makeContactSheets(params: SheetParams, { onProgress, signal }: SheetWork): Promise<SheetsMade> {
  const { title, output, widths, pictures, unreadable } = params;
  const sheets = divideIntoSheets<SheetCell>([
    ...pictures.map((picture): SheetCell => ({ kind: "picture", picture })),
    ...unreadable.map((picture): SheetCell => ({ kind: "unreadable", picture })),
  ]);
  const placedWidth = widthForSheet(widths);
  const reported: (InspectedPicture & { thumbnails: Thumbnail[] })[] = [];
  const files: string[] = [];

  for (const [sheet, cells] of sheets.entries()) {
    const layout = layOutSheet(cells.length);
    const placed: OverlayOptions[] = [];
    for (const [at, cell] of cells.entries()) {
      const place = layout.cells[at];
      if (cell.kind !== "picture" || place === undefined) continue;
      signal.throwIfAborted();
      const { name } = cell.picture;
      placed.push(await placePicture(join(output, thumbnailFile(name, placedWidth)), place));
      reported.push({ ...cell.picture, thumbnails: await thumbnailsOf(output, name, widths) });
      if (reported.length % 20 === 0) {
        onProgress(reported.length / (pictures.length + 1), `sheet ${sheet + 1} of ${sheets.length}`);
      }
    }
    const page = drawSheet(layout, cells, { title, subtitle: subtitleOf(params, sheet, sheets.length) });
    const jpeg = await sharp(Buffer.from(page)).flatten().composite(placed).jpeg({ quality: 86 }).toBuffer();
    await writeWholeFile(join(output, sheetFile(sheet)), jpeg);
    files.push(sheetFile(sheet));
    onProgress((sheet + 1) / sheets.length, `sheet ${sheet + 1} of ${sheets.length} is made`);
  }

  const report = { title, sheets: files, pictures: reported, unreadable };
  await writeWholeFile(join(output, REPORT_FILE), `${JSON.stringify(report, null, 2)}\n`);
  return { sheets: files, report: REPORT_FILE };
}
