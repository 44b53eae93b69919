import type { CompleteBlueprint } from "batuta";
import type { ReleasedAttempt } from "../../src/job/unreleased.ts";
import { createJob, type CreateJob } from "../../src/job/create.ts";
import { nextDeadline } from "../../src/job/deadlines.ts";
import type { Branch, Change, JobRecord, MachineSettings, Task } from "../../src/job/record.ts";
import type { JobStatus } from "../../src/job/status.ts";
import { MemoryJob } from "../../src/testing/memory-job.ts";
import { SETTINGS, T0 } from "./job-builders.ts";

interface BenchOptions extends Partial<CreateJob> {
  readonly settings?: Partial<MachineSettings>;
  /** What chance always says; default 0.5. */
  readonly random?: number;
}

/** A job in memory, a clock that a test moves, and a memory of all that ever left the job. */
export class JobBench {
  readonly job: MemoryJob;
  /** Every attempt that was ever offered, in order. */
  readonly offers: Task[] = [];
  /** Every attempt that was ever called back, in order. */
  readonly releases: ReleasedAttempt[] = [];
  /** Every change of status, as history and commits tell it. */
  readonly moves: (readonly [from: JobStatus, to: JobStatus])[] = [];
  now = T0;
  #status: JobStatus = "pending";
  #seq = 0;

  constructor(bp: CompleteBlueprint, { settings = {}, random = 0.5, ...input }: BenchOptions = {}) {
    const created = createJob(
      bp,
      {
        id: "job",
        client: { name: "alice", plan: "basic", params: {} },
        initialData: {},
        requestDigest: "",
        tracing: {},
        ...input,
      },
      this.now,
    );
    this.job = new MemoryJob({
      created,
      blueprint: bp,
      settings: { ...SETTINGS, ...settings },
      now: () => this.now,
      random: () => random,
      committed: (change) => this.#committed(change),
    });
    this.job.catchUp();
  }

  get record(): JobRecord {
    return this.job.record;
  }

  /** The attempts that are with workers, as child jobs, or wait for a worker; and those that rest or are held back. */
  get tasks(): readonly (Task | Branch)[] {
    const { task } = this.record;
    return task === null ? [...this.job.open.values()] : [task];
  }

  /** The job's next deadline, its outbox aside. */
  get deadline(): number | null {
    return nextDeadline({ ...this.record, unsent: [], notices: [] }, this.job.open.values(), SETTINGS.leaseMs);
  }

  /** The same with its outbox. */
  get wholeDeadline(): number | null {
    return nextDeadline(this.record, this.job.open.values(), SETTINGS.leaseMs);
  }

  /** Lets time pass, then does what is due. */
  pass(ms: number): void {
    this.now += ms;
    this.job.catchUp();
  }

  #committed({ record, offers, releases }: Change): void {
    this.offers.push(...offers);
    this.releases.push(...releases);
    for (const { seq, status } of record.unsent) {
      if (seq > this.#seq && status !== undefined) this.#moveTo(status as JobStatus);
    }
    this.#seq = record.eventSeq;
    this.#moveTo(record.status);
  }

  #moveTo(status: JobStatus): void {
    if (status !== this.#status) this.moves.push([this.#status, status]);
    this.#status = status;
  }
}
