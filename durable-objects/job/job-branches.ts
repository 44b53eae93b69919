import type { Branch, Change, JobRecord } from "../../src/job/record.ts";
import type { OpenBranches } from "../../src/job/work.ts";
import type { JobStore } from "./job-store.ts";

/** The branches of the present fan-out in memory, and those of them that have not ended: thousands are not to be searched for each result. */
export class JobBranches {
  readonly #store: JobStore;
  readonly #all = new Map<string, Branch>();
  readonly #open = new Map<string, Branch>();
  /** Those of the open ones that time may bring something to. */
  readonly #timed = new Map<string, Branch>();

  constructor(store: JobStore) {
    this.#store = store;
  }

  /** All branches, in submission order; none when there is no fan-out. */
  get all(): ReadonlyMap<string, Branch> {
    return this.#all;
  }

  /** The branches without an outcome. */
  get open(): OpenBranches {
    return this.#open;
  }

  /** The open branches that have a retry or a limit ahead of them. */
  get timed(): Iterable<Branch> {
    return this.#timed.values();
  }

  /** Reads the branches of the job's fan-out from disk. */
  load(job: JobRecord): void {
    this.#forget();
    if (job.fanOut !== null) this.#keep(this.#store.branches(job.fanOut.first, job.fanOut.total));
  }

  /** Takes over what was committed. @param before the job before the change */
  committed(change: Pick<Change, "record" | "branches">, before: JobRecord | null): void {
    const { fanOut } = change.record;
    if (fanOut === null || fanOut.first !== before?.fanOut?.first) this.#forget();
    if (fanOut !== null) this.#keep(change.branches.filter((branch) => branch.number >= fanOut.first));
  }

  /** The branches of a fan-out, with those of a change that is not written yet. */
  with(job: JobRecord, unwritten: readonly Branch[]): Branch[] {
    if (job.fanOut === null) return [];
    const { first, total } = job.fanOut;
    const fresh = new Map(unwritten.map((branch) => [branch.number, branch]));
    return this.#store.branches(first, total).map((branch) => fresh.get(branch.number) ?? branch);
  }

  #keep(branches: readonly Branch[]): void {
    for (const branch of branches) {
      this.#all.set(branch.id, branch);
      if (branch.outcome === null) this.#open.set(branch.id, branch);
      else this.#open.delete(branch.id);
      if (branch.outcome === null && hasTimer(branch)) this.#timed.set(branch.id, branch);
      else this.#timed.delete(branch.id);
    }
  }

  #forget(): void {
    this.#all.clear();
    this.#open.clear();
    this.#timed.clear();
  }
}

function hasTimer({ retryAt, dispatchBy, resultBy }: Branch): boolean {
  return retryAt !== null || dispatchBy !== null || resultBy !== null;
}
