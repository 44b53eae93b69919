import { z } from "zod";
import { taskResult } from "../protocol/index.ts";
import { describeError, type Logger } from "../logger.ts";
import type { KeptResult, ResultSpool } from "../results/result-spool.ts";
import type { NodeBuiltins } from "./builtins.ts";

/** A full spool takes nothing more: a worker must not fill a disk because its orchestrator is away. */
const MAX_FILES = 10_000;
const MAX_BYTES = 256 * 1024 * 1024;

const keptResult = z.object({ orchestrator: z.string(), report: taskResult });

interface KeptFile {
  readonly path: string;
  readonly bytes: number;
}

/**
 * Results as files of one folder, one file each: written beside its name, flushed to the disk, then renamed, so that a file
 * of the right name is whole. What was acknowledged before its turn to be written came is not written at all.
 */
export class FileSpool implements ResultSpool {
  readonly #folder: string;
  readonly #builtins: NodeBuiltins;
  readonly #logger: Logger;
  readonly #files = new Map<KeptResult, KeptFile>();
  readonly #waiting = new Set<KeptResult>();
  #bytes = 0;
  #fullSaid = false;
  /** What the file system is asked for, one thing after the other. */
  #work: Promise<void> = Promise.resolve();

  /** @param folder made when it is not there, for this user alone */
  constructor(folder: string, builtins: NodeBuiltins, logger: Logger) {
    this.#folder = folder;
    this.#builtins = builtins;
    this.#logger = logger;
  }

  async open(): Promise<readonly KeptResult[]> {
    const { fs } = this.#builtins;
    let names: string[];
    try {
      await fs.mkdir(this.#folder, { recursive: true, mode: 0o700 });
      names = await fs.readdir(this.#folder);
    } catch (error) {
      this.#logger.error("spool.unusable", { folder: this.#folder, error: describeError(error) });
      return [];
    }
    const found: KeptResult[] = [];
    for (const name of names.toSorted()) {
      const path = this.#builtins.path.join(this.#folder, name);
      // Left by a worker that was killed while it wrote: never whole.
      if (name.endsWith(".writing")) await fs.rm(path, { force: true }).catch(() => undefined);
      if (!name.endsWith(".json")) continue;
      const result = await this.#read(path);
      if (result !== undefined) found.push(result);
    }
    if (found.length > 0) this.#logger.info("spool.found", { folder: this.#folder, results: found.length });
    return found;
  }

  keep(result: KeptResult): void {
    this.#waiting.add(result);
    this.#enqueue(async () => {
      if (this.#waiting.delete(result)) await this.#write(result);
    });
  }

  release(result: KeptResult): void {
    if (this.#waiting.delete(result)) return;
    this.#enqueue(async () => {
      const file = this.#files.get(result);
      if (file === undefined) return;
      await this.#builtins.fs.rm(file.path, { force: true });
      this.#files.delete(result);
      this.#bytes -= file.bytes;
      this.#fullSaid = false;
    });
  }

  settled(): Promise<void> {
    return this.#work;
  }

  #enqueue(step: () => Promise<void>): void {
    this.#work = this.#work.then(step).catch((error: unknown) => {
      this.#logger.error("spool.failed", { folder: this.#folder, error: describeError(error) });
    });
  }

  async #write(result: KeptResult): Promise<void> {
    const { fs, path } = this.#builtins;
    const content = JSON.stringify({ orchestrator: result.orchestrator, report: result.report });
    const bytes = new TextEncoder().encode(content).byteLength;
    if (this.#files.size >= MAX_FILES || this.#bytes + bytes > MAX_BYTES) {
      if (!this.#fullSaid) this.#logger.error("spool.full", { folder: this.#folder, results: this.#files.size });
      this.#fullSaid = true;
      return;
    }
    const final = path.join(this.#folder, `${Date.now()}-${crypto.randomUUID()}.json`);
    const unfinished = `${final}.writing`;
    try {
      const file = await fs.open(unfinished, "wx", 0o600);
      try {
        await file.writeFile(content);
        await file.datasync();
      } finally {
        await file.close();
      }
      await fs.rename(unfinished, final);
    } catch (error) {
      await fs.rm(unfinished, { force: true }).catch(() => undefined);
      throw error;
    }
    await this.#syncFolder();
    this.#files.set(result, { path: final, bytes });
    this.#bytes += bytes;
  }

  /** Makes the new name last through a power cut. Not every system can; the content is safe on all. */
  async #syncFolder(): Promise<void> {
    try {
      const folder = await this.#builtins.fs.open(this.#folder, "r");
      try {
        await folder.sync();
      } finally {
        await folder.close();
      }
    } catch {
      return;
    }
  }

  async #read(path: string): Promise<KeptResult | undefined> {
    const { fs } = this.#builtins;
    try {
      const content = await fs.readFile(path, "utf8");
      const result = keptResult.parse(JSON.parse(content));
      const bytes = new TextEncoder().encode(content).byteLength;
      this.#files.set(result, { path, bytes });
      this.#bytes += bytes;
      return result;
    } catch (error) {
      const aside = `${path}.unreadable`;
      await fs.rename(path, aside).catch(() => undefined);
      this.#logger.error("spool.unreadable", { file: aside, error: describeError(error) });
      return undefined;
    }
  }
}
