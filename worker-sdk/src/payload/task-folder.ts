import { InvalidInputError, PermanentError } from "../errors.ts";
import type { NodeBuiltins } from "../node/builtins.ts";
import type { FileMetadata } from "../protocol/index.ts";
import { isOwn, markInUse } from "./leftovers.ts";

/**
 * The folder of one attempt at a task, for its files alone. It is made when it is first needed, and nothing of it is left
 * when the task has ended.
 */
export class TaskFolder {
  readonly path: string;
  readonly #builtins: NodeBuiltins;
  #made: Promise<void> | undefined;
  #unmark: () => Promise<void> = async () => {};

  /** @param path of the folder, absolute; an attempt of its own keeps the task's attempts apart */
  constructor(path: string, builtins: NodeBuiltins) {
    this.path = path;
    this.#builtins = builtins;
  }

  /** Makes the folder, empty, for this user alone. */
  make(): Promise<void> {
    this.#made ??= this.#make();
    return this.#made;
  }

  /** Writes a file as its content comes; what was there before is replaced. */
  async write(
    segments: readonly string[],
    content: ReadableStream<Uint8Array> | null,
    alive: () => void,
  ): Promise<FileMetadata> {
    const { fs, path, crypto } = this.#builtins;
    const target = path.join(this.path, ...segments);
    await this.make();
    await fs.mkdir(path.dirname(target), { recursive: true, mode: 0o700 });
    const hash = crypto.createHash("sha256");
    let size = 0;
    const file = await fs.open(target, "w", 0o600);
    try {
      for await (const chunk of content ?? []) {
        alive();
        hash.update(chunk);
        await file.writeFile(chunk);
        size += chunk.byteLength;
      }
    } finally {
      await file.close();
    }
    return { size, sha256: hash.digest("hex") };
  }

  /** A file's content, read from the disk as it is sent, with its size and SHA-256 (hex). */
  async read(file: string): Promise<{ body: Blob; size: number; sha256: string }> {
    const { fileSystem, crypto } = this.#builtins;
    const hash = crypto.createHash("sha256");
    for await (const chunk of fileSystem.createReadStream(file)) hash.update(chunk);
    const body = await fileSystem.openAsBlob(file);
    return { body, size: body.size, sha256: hash.digest("hex") };
  }

  /**
   * Whether a text is the path of something in this folder.
   * @returns its path below the folder with `/` between the parts, `""` for the folder itself; undefined when it lies elsewhere
   */
  pathWithin(text: string): string | undefined {
    const { path } = this.#builtins;
    if (text !== this.path && !text.startsWith(this.path + path.sep)) return undefined;
    const relative = path.relative(this.path, text);
    return relative.startsWith("..") || path.isAbsolute(relative) ? undefined : relative.split(path.sep).join("/");
  }

  /**
   * The files at a path below the folder: one, or all of a folder.
   * @throws PermanentError when there is none, or a link leads out of the folder
   */
  async filesAt(relative: string): Promise<{ isFolder: boolean; files: string[] }> {
    const { fs, path } = this.#builtins;
    const target = path.join(this.path, relative);
    const real = await fs.realpath(target).catch(() => undefined);
    if (real === undefined) {
      throw new PermanentError(`The result names ${target}, which the task did not write.`);
    }
    const home = await fs.realpath(this.path);
    if (real !== home && !real.startsWith(home + path.sep)) {
      throw new PermanentError(`The result names ${target}, which is a link out of the task's folder.`);
    }
    const about = await fs.stat(real);
    if (!about.isDirectory()) return { isFolder: false, files: [relative] };
    const entries = await fs.readdir(real, { recursive: true, withFileTypes: true });
    // Links inside are left out: they may lead anywhere.
    const files = entries.filter((entry) => entry.isFile());
    const below = files.map((entry) => path.relative(home, path.join(entry.parentPath, entry.name)));
    return { isFolder: true, files: below.map((file) => file.split(path.sep).join("/")).toSorted() };
  }

  /** Removes the folder and all that is in it; never rejects. */
  async remove(): Promise<void> {
    if (this.#made === undefined) return;
    const { fs, path } = this.#builtins;
    await this.#made.catch(() => undefined);
    await fs.rm(this.path, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
    await this.#unmark();
    // The task's own folder goes with its last attempt.
    await fs.rmdir(path.dirname(this.path)).catch(() => undefined);
  }

  async #make(): Promise<void> {
    const { fs, path } = this.#builtins;
    const directory = path.dirname(path.dirname(this.path));
    await fs.mkdir(directory, { recursive: true, mode: 0o700 });
    if (!(await isOwn(directory, this.#builtins))) {
      throw new PermanentError(
        `The folder ${directory} belongs to another user. Set payloadDir or WORKER_PAYLOAD_DIR to a folder of your own.`,
      );
    }
    this.#unmark = await markInUse(this.path, this.#builtins);
    // An attempt that ended with its worker may have left files.
    await fs.rm(this.path, { recursive: true, force: true });
    await fs.mkdir(this.path, { recursive: true, mode: 0o700 });
  }
}

/** @throws InvalidInputError when two objects of a prefix cannot both be files, as with the keys `a` and `a/b` */
export function refuseClashes(keys: readonly string[], shown: string): void {
  const all = new Set(keys);
  for (const key of keys) {
    for (let slash = key.indexOf("/"); slash >= 0; slash = key.indexOf("/", slash + 1)) {
      if (all.has(key.slice(0, slash))) {
        throw new InvalidInputError(`${shown} has an object and other objects below it: ${key.slice(0, slash)}.`);
      }
    }
  }
}
