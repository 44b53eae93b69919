import type { InspectedPicture, UnreadablePicture } from "../tasks.ts";
import { CELL, fitText, PAGE, type SheetLayout, wrapText } from "./sheet-layout.ts";

/** A place on a sheet: a picture, or the gap that a picture left. */
export type SheetCell =
  | { readonly kind: "picture"; readonly picture: InspectedPicture }
  | { readonly kind: "unreadable"; readonly picture: UnreadablePicture };

export interface SheetHeader {
  readonly title: string;
  readonly subtitle: string;
}

const FONT = "Inter, 'Segoe UI', 'Helvetica Neue', 'Noto Sans', 'DejaVu Sans', Arial, sans-serif";
const INK = {
  page: "#15171c",
  card: "#20242c",
  mat: "#1a1d24",
  line: "#2f3540",
  text: "#f1f3f6",
  quiet: "#98a2b3",
  fault: "#f0a08a",
};

// Control characters may stand in a file name but not in XML, not even escaped.
// oxlint-disable-next-line no-control-regex
const NOT_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;

function escapeXml(raw: string): string {
  return raw
    .toWellFormed()
    .replaceAll(NOT_XML, "�")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
}

interface TextStyle {
  readonly size: number;
  readonly fill: string;
  readonly weight?: number;
}

function text(x: number, y: number, content: string, { size, fill, weight = 400 }: TextStyle): string {
  return `<text x="${x}" y="${y}" font-size="${size}" font-weight="${weight}" fill="${fill}">${escapeXml(content)}</text>`;
}

/** A file size as people read it: 940 B, 17 KB, 3.4 MB. */
function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 999_500) return `${Math.round(bytes / 1000)} KB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function pictureCell({ name, width, height, format, bytes, colour }: InspectedPicture): string {
  const left = CELL.padding;
  const caption = CELL.padding + CELL.pictureHeight;
  const room = CELL.pictureWidth - 42;
  return (
    `<rect width="${CELL.width}" height="${CELL.height}" rx="12" fill="${INK.card}"/>` +
    `<rect x="${left}" y="${CELL.padding}" width="${CELL.pictureWidth}" height="${CELL.pictureHeight}" fill="${INK.mat}"/>` +
    `<circle cx="${left + 15}" cy="${caption + 39}" r="14" fill="${colour}" stroke="#ffffff" stroke-opacity="0.25"/>` +
    text(left + 42, caption + 33, fitText(name, room, 17), { size: 17, fill: INK.text, weight: 600 }) +
    text(left + 42, caption + 56, `${width} × ${height} · ${format.toUpperCase()} · ${formatBytes(bytes)}`, {
      size: 14,
      fill: INK.quiet,
    })
  );
}

function unreadableCell({ name, reason }: UnreadablePicture): string {
  const left = CELL.padding;
  const middle = CELL.padding + CELL.pictureHeight / 2 - 12;
  const firstLine = CELL.padding + CELL.pictureHeight + 12;
  const centre = CELL.width / 2;
  const lines = wrapText(reason, CELL.pictureWidth - 20, 14, 3);
  return (
    `<rect x="1" y="1" width="${CELL.width - 2}" height="${CELL.height - 2}" rx="12" fill="none" stroke="${INK.line}" stroke-width="2" stroke-dasharray="8 7"/>` +
    `<g fill="none" stroke="${INK.fault}" stroke-width="4" stroke-linecap="round" stroke-linejoin="round" transform="translate(${centre - 36} ${middle - 30})">` +
    `<rect width="72" height="56" rx="7"/><path d="M4 48 L26 26 L38 38 M48 30 L54 24 L70 40 M44 0 L34 20 L46 32 L38 56"/></g>` +
    text(left + 10, firstLine - 24, fitText(name, CELL.pictureWidth - 20, 17), {
      size: 17,
      fill: INK.text,
      weight: 600,
    }) +
    lines.map((line, at) => text(left + 10, firstLine + at * 20, line, { size: 14, fill: INK.fault })).join("")
  );
}

/** The dominant colours side by side, as a band below the title. */
function colourBand(cells: readonly SheetCell[], width: number): string {
  const colours = cells.flatMap((cell) => (cell.kind === "picture" ? [cell.picture.colour] : []));
  const step = (width - PAGE.margin * 2) / Math.max(1, colours.length);
  return colours
    .map((colour, at) => {
      const x = PAGE.margin + at * step;
      return `<rect x="${x.toFixed(2)}" y="${PAGE.headerHeight - 26}" width="${(step + 0.5).toFixed(2)}" height="8" fill="${colour}"/>`;
    })
    .join("");
}

/** Everything on a sheet but the pictures themselves, as SVG. */
export function drawSheet(layout: SheetLayout, cells: readonly SheetCell[], { title, subtitle }: SheetHeader): string {
  const room = layout.width - PAGE.margin * 2;
  const drawn = layout.cells.map(({ left, top }, at) => {
    const cell = cells[at];
    if (cell === undefined) return "";
    const content = cell.kind === "picture" ? pictureCell(cell.picture) : unreadableCell(cell.picture);
    return `<g transform="translate(${left} ${top})">${content}</g>`;
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${layout.width}" height="${layout.height}" font-family="${FONT}">` +
    `<rect width="100%" height="100%" fill="${INK.page}"/>` +
    text(PAGE.margin, 58, fitText(title, room, 34), { size: 34, fill: INK.text, weight: 700 }) +
    text(PAGE.margin, 88, subtitle, { size: 17, fill: INK.quiet }) +
    `${colourBand(cells, layout.width)}${drawn.join("")}</svg>`
  );
}
