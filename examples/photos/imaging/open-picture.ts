import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { isAbsolute, relative, resolve, sep } from "node:path";
import sharp, { type Sharp } from "sharp";

/** The largest phone cameras make 200 megapixels. A file that claims more is refused before its pixels take the memory. */
const MAX_PIXELS = 210_000_000;

/** Longest reason in a report: a thousand of them must fit into one job. */
const MAX_REASON_CHARACTERS = 120;

// One picture at a time per task and nothing kept between pictures: memory stays level however many there are.
sharp.cache(false);
sharp.concurrency(1);

/** A picture that no second try will make readable. The message says why, for a person. */
export class UnreadablePictureError extends Error {
  override readonly name = "UnreadablePictureError";
}

/**
 * The path of a picture in a folder.
 * @throws {UnreadablePictureError} when the name leads out of the folder
 */
export function picturePath(folder: string, name: string): string {
  const path = resolve(folder, name);
  const below = relative(resolve(folder), path);
  if (below === "" || isAbsolute(below) || below === ".." || below.startsWith(`..${sep}`)) {
    throw new UnreadablePictureError("The name leads out of the folder.");
  }
  return path;
}

/**
 * Runs work that reads a picture, and turns what goes wrong into a reason.
 * The work must only read: a full disk is not the picture's fault.
 * @param read is given the picture, its first frame, decoded as far as needed and turned upright
 * @throws {UnreadablePictureError}
 */
export async function readPicture<Result>(path: string, read: (picture: Sharp) => Promise<Result>): Promise<Result> {
  try {
    await access(path, constants.R_OK);
    // "error" and not sharp's "warning": many sound photographs carry a flawed profile or EXIF block.
    return await read(sharp(path, { failOn: "error", limitInputPixels: MAX_PIXELS }).autoOrient());
  } catch (error) {
    throw new UnreadablePictureError(reasonOf(error, path), { cause: error });
  }
}

function reasonOf(error: unknown, path: string): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT") return "The file is not there.";
  if (code === "EACCES" || code === "EPERM") return "The file may not be read: permission denied.";
  const text = error instanceof Error ? error.message : String(error);
  const line = text.split("\n").find((part) => part.trim() !== "") ?? "no reason given";
  const reason = `The file cannot be decoded: ${line.replaceAll(path, "the file").trim()}`;
  return reason.length <= MAX_REASON_CHARACTERS ? reason : `${reason.slice(0, MAX_REASON_CHARACTERS - 1)}…`;
}
