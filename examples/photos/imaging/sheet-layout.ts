/** Pictures on one sheet: it stays a file that any viewer opens, and one sheet at a time is all that is held in memory. */
export const CELLS_PER_SHEET = 100;

const MAX_COLUMNS = 10;
const MIN_COLUMNS = 2;

/** Sizes in pixels. */
export const CELL = { width: 344, height: 330, gap: 18, padding: 12, pictureWidth: 320, pictureHeight: 240 } as const;
export const PAGE = { margin: 40, headerHeight: 132 } as const;

export interface SheetLayout {
  readonly width: number;
  readonly height: number;
  readonly columns: number;
  /** Upper left corner of each cell, row by row. */
  readonly cells: readonly { readonly left: number; readonly top: number }[];
}

/** Divides the cells among as few sheets as it takes, about equally. No cells still make one, empty, sheet. */
export function divideIntoSheets<Cell>(cells: readonly Cell[]): Cell[][] {
  const sheets = Math.max(1, Math.ceil(cells.length / CELLS_PER_SHEET));
  const perSheet = Math.ceil(cells.length / sheets);
  return Array.from({ length: sheets }, (_, sheet) => cells.slice(sheet * perSheet, (sheet + 1) * perSheet));
}

/** Places cells in a grid that is about as wide as it is high. */
export function layOutSheet(cellCount: number): SheetLayout {
  const columns = Math.min(MAX_COLUMNS, Math.max(MIN_COLUMNS, Math.ceil(Math.sqrt(cellCount))));
  const rows = Math.max(1, Math.ceil(cellCount / columns));
  const cells = Array.from({ length: cellCount }, (_, at) => ({
    left: PAGE.margin + (at % columns) * (CELL.width + CELL.gap),
    top: PAGE.headerHeight + Math.floor(at / columns) * (CELL.height + CELL.gap),
  }));
  return {
    width: PAGE.margin * 2 + columns * (CELL.width + CELL.gap) - CELL.gap,
    height: PAGE.headerHeight + rows * (CELL.height + CELL.gap) - CELL.gap + PAGE.margin,
    columns,
    cells,
  };
}

const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\u{1f300}-\u{1faff}]/u;
const NARROW = /[\s.,:;'|!()[\]ijlrtfI-]/;

/**
 * Width of a character in parts of the font size. A guess on the large side, after the widest of the fonts that may be
 * there: which one draws the sheet is known to the machine alone.
 */
function characterWidth(character: string): number {
  if (WIDE.test(character)) return 1;
  if (NARROW.test(character)) return 0.42;
  if (/[\p{Lu}\p{Sm}&mw@%]/u.test(character)) return 0.8;
  return 0.7;
}

function textWidth(characters: readonly string[]): number {
  return characters.reduce((sum, character) => sum + characterWidth(character), 0);
}

/** Shortens a text in the middle so that it fits: the end of a file name tells as much as its start. */
export function fitText(text: string, width: number, fontSize: number): string {
  const characters = Array.from(text);
  const room = width / fontSize;
  if (textWidth(characters) <= room) return text;
  const head: string[] = [];
  const tail: string[] = [];
  let left = room - 1;
  for (let taken = 0; taken < characters.length; taken += 1) {
    const fromEnd = taken % 2 === 1;
    const next = fromEnd ? characters[characters.length - 1 - tail.length] : characters[head.length];
    if (next === undefined || characterWidth(next) > left) break;
    left -= characterWidth(next);
    if (fromEnd) tail.unshift(next);
    else head.push(next);
  }
  return `${head.join("")}…${tail.join("")}`;
}

/** Breaks a text into lines at spaces; the last line takes what is left, shortened. */
export function wrapText(text: string, width: number, fontSize: number, maxLines: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line === "" || lines.length === maxLines - 1 || fitText(longer, width, fontSize) === longer) line = longer;
    else {
      lines.push(line);
      line = word;
    }
  }
  return [...lines, line].map((one) => fitText(one, width, fontSize));
}
