import { InvalidInputError } from "@batuta/worker";
import { InputError, testJob, type FakeWorker } from "batuta/testing";
import { describe, expect, it } from "vitest";
import { photos } from "../../../blueprints/photos.ts";
import { catalogOf } from "../../../src/blueprint/validate.ts";
import { MAX_STATE_HISTORY_BYTES } from "../../../src/limits.ts";
import {
  type InspectedPicture,
  type InspectParams,
  type SheetParams,
  type SheetsMade,
  type ThumbnailParams,
  type ThumbnailsMade,
} from "../../../examples/photos/tasks.ts";

const INPUT = { folder: "/pictures", output: "/out", title: "Test", pictures: ["a.jpg", "b.jpg"] };

/** What became of the sheets. */
interface Sheets {
  asked?: SheetParams;
}

/** Workers that need no files. */
function workers(sheets: Sheets = {}): Record<string, FakeWorker> {
  return {
    inspect_picture: ({ picture }: InspectParams): InspectedPicture => ({
      name: picture,
      width: 6000,
      height: 4000,
      format: "jpeg",
      bytes: 12_345_678,
      colour: "#a0b0c0",
    }),
    make_thumbnails: ({ picture, widths }: ThumbnailParams): ThumbnailsMade => ({
      picture,
      thumbnails: widths.map((width) => ({ file: `${picture}-${width}.webp`, width, height: width, bytes: 5_000 })),
    }),
    contact_sheet: (params: SheetParams): SheetsMade => {
      sheets.asked = params;
      return { sheets: ["contact-sheet.jpg"], report: "report.json" };
    },
  };
}

/** A worker that cannot do it for one picture, or for all. */
function refusing(reason: string, only?: string, other?: FakeWorker): FakeWorker {
  return (params, task) => {
    if (only === undefined || params["picture"] === only) throw new InvalidInputError(reason);
    return other?.(params, task);
  };
}

describe("the blueprint photos", () => {
  it("is complete", () => {
    expect(catalogOf([photos]).has("photos")).toBe(true);
  });

  it("refuses a job without pictures and names the field", () => {
    const create = () => testJob(photos, { input: { ...INPUT, pictures: [] } });
    expect(create).toThrow(InputError);
    expect(create).toThrow(expect.objectContaining({ fields: [expect.objectContaining({ path: "pictures" })] }));
  });

  it("makes thumbnails in three sizes, a sheet and a report", async () => {
    const sheets: Sheets = {};
    const job = await testJob(photos, { input: INPUT, workers: workers(sheets) }).run();
    expect(job.states).toEqual(["inspect", "resize", "sheet", "done"]);
    expect(job.result).toEqual({
      output: "/out",
      sheets: ["contact-sheet.jpg"],
      report: "report.json",
      pictures: 2,
      thumbnails: 6,
      unreadable: [],
    });
    expect(sheets.asked).toMatchObject({ title: "Test", widths: [160, 320, 640] });
  });

  it("goes on with the pictures that could be read and reports the others with their reasons", async () => {
    const fine = workers();
    const job = await testJob(photos, {
      input: INPUT,
      workers: { ...fine, inspect_picture: refusing("It is torn.", "b.jpg", fine["inspect_picture"]) },
    }).run();
    expect(job.result).toMatchObject({
      pictures: 1,
      thumbnails: 3,
      unreadable: [{ name: "b.jpg", reason: "It is torn." }],
    });
  });

  it("leaves a picture whose thumbnails failed out of the sheet and reports it", async () => {
    const sheets: Sheets = {};
    const fine = workers(sheets);
    const job = await testJob(photos, {
      input: INPUT,
      workers: { ...fine, make_thumbnails: refusing("The disk is full.", "b.jpg", fine["make_thumbnails"]) },
    }).run();
    const unreadable = [{ name: "b.jpg", reason: "The disk is full." }];
    expect(sheets.asked).toMatchObject({ pictures: [{ name: "a.jpg" }], unreadable });
    expect(job.result).toMatchObject({ pictures: 1, thumbnails: 3, unreadable });
  });

  it("makes a sheet and a report even when no picture could be read", async () => {
    const job = await testJob(photos, {
      input: INPUT,
      workers: { ...workers(), inspect_picture: refusing("It is torn.") },
    }).run();
    expect(job.result).toMatchObject({
      sheets: ["contact-sheet.jpg"],
      pictures: 0,
      thumbnails: 0,
      unreadable: [{ name: "a.jpg" }, { name: "b.jpg" }],
    });
  });

  it.each([
    ["readable", workers()],
    ["unreadable", { ...workers(), inspect_picture: refusing("x".repeat(120)) }],
  ])(
    "stays within the limits of a job with a thousand %s pictures and the longest names the demo takes",
    async (_readable, workers) => {
      const pictures = Array.from({ length: 1000 }, (_, at) => `${"n".repeat(94)}${String(at).padStart(4, "0")}`);
      const job = await testJob(photos, { input: { ...INPUT, pictures }, workers }).run();
      expect(job.error).toBeNull();
      expect(job.status).toBe("finished");
      expect(JSON.stringify(job.stateHistory).length).toBeLessThan(MAX_STATE_HISTORY_BYTES);
    },
  );
});
