import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { ExampleError } from "../../shared/example-error.ts";

const PICTURE_EXTENSIONS = new Set([".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif", ".tiff", ".avif"]);

/** Most pictures of one job: one fan-out has a thousand branches. */
const MAX_PICTURES = 1000;

/** Most bytes of all names of one job together: `state_history` holds each name with what is known of it, 256 KB in all. */
const MAX_NAME_BYTES = 96 * 1024;

export interface PictureFolder {
  /** Paths below the folder, with `/`, sorted. */
  readonly pictures: readonly string[];
  /** Pictures that were found but do not fit into one job. */
  readonly leftOut: number;
  /** Subfolders that may not be read. */
  readonly unreadableFolders: readonly string[];
}

function whyUnreadable(error: unknown, folder: string): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT") return `There is no folder ${folder}. Check the path.`;
  if (code === "ENOTDIR") return `${folder} is not a folder. Give the folder that the pictures are in.`;
  if (code === "EACCES" || code === "EPERM") return `The folder ${folder} may not be read: permission denied.`;
  return `The folder ${folder} cannot be read: ${error instanceof Error ? error.message : String(error)}`;
}

/** A file, or a link to one. Links to folders are not followed: they may lead in circles. */
async function isFile(entry: Dirent, path: string): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isFile();
  const target = await stat(path).catch(() => null);
  return target?.isFile() ?? false;
}

/**
 * Finds the pictures of a folder and its subfolders. Hidden files and folders are left out.
 * @param except a folder to leave out: the demo's own output may lie inside
 * @throws {ExampleError} when the folder cannot be read or has no pictures
 */
export async function readPictureFolder(folder: string, except: string): Promise<PictureFolder> {
  const found: string[] = [];
  const unreadableFolders: string[] = [];

  async function walk(below: string): Promise<void> {
    const entries = await readdir(join(folder, below), { withFileTypes: true }).catch((error: unknown) => {
      if (below === "") throw new ExampleError(whyUnreadable(error, folder), { cause: error });
      unreadableFolders.push(below);
      return [];
    });
    for (const entry of entries) {
      const name = below === "" ? entry.name : `${below}/${entry.name}`;
      const path = join(folder, name);
      if (entry.name.startsWith(".") || entry.name === "node_modules" || path === except) continue;
      if (entry.isDirectory()) await walk(name);
      else if (PICTURE_EXTENSIONS.has(extname(entry.name).toLowerCase()) && (await isFile(entry, path)))
        found.push(name);
    }
  }

  await walk("");
  if (found.length === 0) {
    throw new ExampleError(`There are no pictures in ${folder} (looked for ${[...PICTURE_EXTENSIONS].join(" ")}).`);
  }
  found.sort();
  const pictures = takeWhatFits(found);
  return { pictures, leftOut: found.length - pictures.length, unreadableFolders };
}

function takeWhatFits(names: readonly string[]): string[] {
  const taken: string[] = [];
  let bytes = 0;
  for (const name of names) {
    bytes += Buffer.byteLength(name);
    if (taken.length === MAX_PICTURES || bytes > MAX_NAME_BYTES) break;
    taken.push(name);
  }
  return taken;
}
