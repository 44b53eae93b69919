import type { Branch, Change, JobRecord } from "../job/record.ts";

/** The branches of a job: of all its fan-outs, and of the present one those that have not ended. */
export class MemoryBranches {
  /** By task id. */
  readonly all = new Map<string, Branch>();
  /** By task id, in submission order. */
  readonly open = new Map<string, Branch>();

  /** The branches of a job's fan-out, with those of a change that is not committed yet. */
  with({ fanOut }: JobRecord, uncommitted: readonly Branch[] = []): Branch[] {
    if (fanOut === null) return [];
    const all = new Map([...this.all, ...uncommitted.map((branch) => [branch.id, branch] as const)]);
    return [...all.values()].filter(({ number }) => number >= fanOut.first && number < fanOut.first + fanOut.total);
  }

  /** Takes over a change. @param before the job before it */
  commit({ record: { fanOut }, branches }: Change, before: JobRecord): void {
    if (fanOut?.first !== before.fanOut?.first) this.open.clear();
    for (const branch of branches) {
      this.all.set(branch.id, branch);
      const isOpen = fanOut !== null && branch.number >= fanOut.first && branch.outcome === null;
      if (isOpen) this.open.set(branch.id, branch);
      else this.open.delete(branch.id);
    }
  }
}
