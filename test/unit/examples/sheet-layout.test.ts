import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CELL,
  CELLS_PER_SHEET,
  divideIntoSheets,
  fitText,
  layOutSheet,
  wrapText,
} from "../../../examples/photos/imaging/sheet-layout.ts";

describe("layOutSheet", () => {
  it("places cells in a grid that is about as wide as it is high", () => {
    expect(layOutSheet(9).columns).toBe(3);
    expect(layOutSheet(10).columns).toBe(4);
    expect(layOutSheet(CELLS_PER_SHEET).columns).toBe(10);
  });

  it("keeps every cell on the page and no two on the same place", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: CELLS_PER_SHEET }), (count) => {
        const { width, height, cells } = layOutSheet(count);
        expect(cells).toHaveLength(count);
        expect(new Set(cells.map(({ left, top }) => `${left} ${top}`)).size).toBe(count);
        for (const { left, top } of cells) {
          expect(left + CELL.width).toBeLessThan(width);
          expect(top + CELL.height).toBeLessThan(height);
        }
      }),
    );
  });
});

describe("divideIntoSheets", () => {
  it("loses no cell, keeps their order and fills the sheets about equally", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), (count) => {
        const cells = Array.from({ length: count }, (_, at) => at);
        const sheets = divideIntoSheets(cells);
        expect(sheets.flat()).toEqual(cells);
        expect(sheets).toHaveLength(Math.ceil(count / CELLS_PER_SHEET));
        const sizes = sheets.map((sheet) => sheet.length);
        expect(Math.max(...sizes)).toBeLessThanOrEqual(CELLS_PER_SHEET);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThan(sheets.length);
      }),
    );
  });

  it("makes one empty sheet of nothing", () => {
    expect(divideIntoSheets([])).toEqual([[]]);
  });
});

describe("fitText", () => {
  it("leaves a text that fits as it is", () => {
    expect(fitText("dunes.jpg", 280, 17)).toBe("dunes.jpg");
  });

  it("shortens in the middle, so that the extension stays", () => {
    const short = fitText("a-very-long-name-of-a-picture-from-the-holidays-in-the-mountains.jpeg", 280, 17);
    expect(short).toMatch(/^a-very.+….+\.jpeg$/);
    expect(short.length).toBeLessThan(40);
  });

  it("does not cut a character of two code units in half", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 80 }), (text) => {
        expect(fitText(text.toWellFormed(), 100, 17).isWellFormed()).toBe(true);
      }),
    );
  });
});

describe("wrapText", () => {
  it("breaks at spaces and puts what is left over on the last line, shortened", () => {
    const lines = wrapText(
      "The file cannot be decoded because it says a great many things that nobody will ever read to the end",
      150,
      14,
      3,
    );
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/^The file( \w+)*$/);
    expect(lines[2]).toContain("…");
  });
});
