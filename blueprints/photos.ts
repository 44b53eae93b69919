import { blueprint, type BranchResult } from "batuta";
import { z } from "zod";
import {
  inspectedPicture,
  inspectParams,
  sheetsMade,
  thumbnailsMade,
  type UnreadablePicture,
  unreadablePicture,
} from "../examples/photos/tasks.ts";

const WIDTHS = [160, 320, 640];

/** A picture whose task failed does not stop the others: it is reported. */
function reported({ params, error }: BranchResult): UnreadablePicture {
  return { name: inspectParams.parse(params).picture, reason: error?.message ?? "No reason was given." };
}

/**
 * A folder of pictures becomes thumbnails, contact sheets and a report.
 * Its workers are in `examples/photos`: they read and write the files, the blueprint says what happens when.
 */
export const photos = blueprint({
  name: "photos",
  version: 1,
  api: { version: "v1", endpoint: "/jobs/photos" },
  input: z.object({
    folder: z.string().min(1),
    pictures: z.array(z.string().min(1)).min(1).max(1000),
    output: z.string().min(1),
    title: z.string().min(1).max(100).default("Contact sheet"),
  }),
  stateHistory: z.object({
    pictures: z.array(inspectedPicture),
    unreadable: z.array(unreadablePicture),
    thumbnails: z.int(),
    ...sheetsMade.shape,
  }),
  states: ["inspect", "resize", "sheet", "done"],
})
  .start("inspect", ({ initialData: { folder, pictures }, actions }) =>
    actions.dispatchParallel(
      pictures.map((picture) => ({ type: "inspect_picture", params: { folder, picture } })),
      { aggregateInto: "resize" },
    ),
  )
  .aggregator("resize", ({ initialData: { folder, output }, aggregationResults, actions }) => {
    const pictures = aggregationResults.succeeded.map(({ data }) => inspectedPicture.parse(data));
    return actions.dispatchParallel(
      pictures.map(({ name }) => ({
        type: "make_thumbnails",
        params: { folder, picture: name, output, widths: WIDTHS },
      })),
      { aggregateInto: "sheet", stateHistory: { pictures, unreadable: aggregationResults.failed.map(reported) } },
    );
  })
  .aggregator("sheet", ({ initialData: { title, output }, stateHistory, aggregationResults, actions }) => {
    const made = aggregationResults.succeeded.map(({ data }) => thumbnailsMade.parse(data));
    const names = new Set(made.map(({ picture }) => picture));
    const found = {
      pictures: stateHistory.pictures.filter(({ name }) => names.has(name)),
      unreadable: [...stateHistory.unreadable, ...aggregationResults.failed.map(reported)],
    };
    return actions.dispatchTask({
      type: "contact_sheet",
      params: { title, output, widths: WIDTHS, ...found },
      transitions: { success: "done" },
      stateHistory: { ...found, thumbnails: made.flatMap(({ thumbnails }) => thumbnails).length },
    });
  })
  .end("done", ({ initialData: { output }, stateHistory: { pictures, thumbnails, unreadable, sheets, report } }) => ({
    output,
    sheets,
    report,
    pictures: pictures.length,
    thumbnails,
    unreadable,
  }));
