import { join } from "node:path";
import { z } from "zod";
import { ExampleError } from "../../shared/example-error.ts";
import type { JobView } from "../../shared/job-client.ts";
import { unreadablePicture } from "../tasks.ts";
import type { DemoOptions } from "./arguments.ts";
import type { PictureFolder } from "./picture-folder.ts";
import { formatDuration } from "./progress-view.ts";

/** Longest list of unreadable pictures on the screen; the report has them all. */
const MAX_LISTED = 10;

/** The result of the blueprint `photos`. */
const photosResult = z.object({
  output: z.string(),
  sheets: z.array(z.string()),
  report: z.string(),
  pictures: z.int(),
  thumbnails: z.int(),
  unreadable: z.array(unreadablePicture),
});

function counted(count: number, one: string): string {
  return `${count} ${count === 1 ? one : `${one}s`}`;
}

/** What the demo is about to do, line by line. */
export function describeStart(
  { folder, output, data }: DemoOptions,
  { pictures, leftOut, unreadableFolders }: PictureFolder,
): string[] {
  const lines = [`  pictures   ${counted(pictures.length, "picture")} in ${folder}`];
  if (leftOut > 0) lines.push(`             ${leftOut} more do not fit into one job and are left out`);
  for (const name of unreadableFolders) lines.push(`             the folder ${name} may not be read and is left out`);
  return [...lines, `  output     ${output}`, `  state      ${data}`];
}

/**
 * The result of a job, line by line.
 * @param ms how long it took
 * @throws {ExampleError} when the job did not finish, with its error
 */
export function describeEnd(job: JobView, ms: number, logs: string): string[] {
  if (job.status !== "finished") {
    const reason = job.error_message ?? "no reason was given";
    throw new ExampleError(
      `The job ended as ${job.status} in state "${job.current_state}": ${reason}\nThe processes' own words are in ${logs}`,
    );
  }
  const { output, sheets, report, pictures, thumbnails, unreadable } = photosResult.parse(job.result);
  const lines = [
    `Finished in ${formatDuration(ms)}: ${counted(pictures, "picture")}, ${counted(thumbnails, "thumbnail")}.`,
  ];
  for (const sheet of sheets) lines.push(`  contact sheet   ${join(output, sheet)}`);
  lines.push(`  report          ${join(output, report)}`);
  if (unreadable.length > 0) {
    lines.push(`${counted(unreadable.length, "picture")} could not be read:`);
    for (const { name, reason } of unreadable.slice(0, MAX_LISTED)) lines.push(`  ${name}: ${reason}`);
    if (unreadable.length > MAX_LISTED) lines.push(`  … and ${unreadable.length - MAX_LISTED} more, all in the report`);
  }
  return lines;
}
