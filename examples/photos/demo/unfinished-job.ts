import { readFile, rm, writeFile } from "node:fs/promises";
import { z } from "zod";

const remembered = z.object({ jobId: z.string(), folder: z.string(), output: z.string() });
export type RememberedJob = z.infer<typeof remembered>;

/**
 * The job that the demo has created and not yet seen the end of. A demo that was interrupted finds it at its next start
 * and goes on with it.
 */
export class UnfinishedJob {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  async read(): Promise<RememberedJob | null> {
    const text = await readFile(this.#file, "utf8").catch(() => "null");
    try {
      return remembered.nullable().parse(JSON.parse(text));
    } catch {
      // Cut off while it was written: the job goes on by itself, the demo begins a new one.
      return null;
    }
  }

  async remember(job: RememberedJob): Promise<void> {
    await writeFile(this.#file, JSON.stringify(job));
  }

  async forget(): Promise<void> {
    await rm(this.#file, { force: true });
  }
}
