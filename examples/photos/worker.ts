/**
 * A worker process of the blueprint `photos`.
 * Environment: ORCHESTRATOR_URL, WORKER_TOKEN, WORKER_ID, and what `@batuta/worker` reads besides.
 *
 * @module
 */
import { InvalidInputError, Worker } from "@batuta/worker";
import { makeContactSheets } from "./imaging/contact-sheet.ts";
import { inspectPicture } from "./imaging/inspect.ts";
import { UnreadablePictureError } from "./imaging/open-picture.ts";
import { makeThumbnails } from "./imaging/thumbnails.ts";
import { inspectParams, sheetParams, thumbnailParams } from "./tasks.ts";

/** Pictures in work at the same time; each holds one decoded picture in memory. */
const PICTURES_AT_ONCE = 2;

/** A picture that cannot be read will not become readable: its task fails at once and is not tried again. */
function asInvalidInput(error: unknown): never {
  throw error instanceof UnreadablePictureError ? new InvalidInputError(error.message) : error;
}

// A worker that was started by another process ends with it.
process.once("disconnect", () => process.exit(1));
process.channel?.unref();

await new Worker({ workerType: "pictures", maxConcurrentTasks: PICTURES_AT_ONCE })
  .task("inspect_picture", { params: inspectParams }, ({ params }) => inspectPicture(params).catch(asInvalidInput))
  .task("make_thumbnails", { params: thumbnailParams }, ({ params }) => makeThumbnails(params).catch(asInvalidInput))
  .task("contact_sheet", { params: sheetParams }, ({ params, signal, sendProgress }) =>
    makeContactSheets(params, { signal, onProgress: (progress, message) => void sendProgress(progress, message) }),
  )
  .run();
