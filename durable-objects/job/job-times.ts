import type { Configuration } from "../../src/configuration.ts";
import { nextDeadline } from "../../src/job/deadlines.ts";
import type { Branch, JobRecord } from "../../src/job/record.ts";
import { isEnded } from "../../src/job/status.ts";
import { isSingle } from "../../src/registry/shard-plan.ts";
import { JobAlarm } from "./job-alarm.ts";

interface TimeNeeds {
  readonly storage: DurableObjectStorage;
  readonly settings: Configuration;
  readonly hasArchive: boolean;
  /** The branches that have times of their own. */
  timed(): Iterable<Branch>;
}

/** When a job's object is to wake: its deadlines, what must leave it, what shards are to be asked again, its archive. All times are epoch ms. */
export class JobTimes {
  readonly #needs: TimeNeeds;
  readonly #alarm: JobAlarm;
  /** When shards that have not answered are told again what they are to let go of. */
  #tellAt = Infinity;
  /** When shards that were away are asked again to give back what a paused job has waiting. */
  #withdrawAt = Infinity;

  constructor(needs: TimeNeeds) {
    this.#needs = needs;
    this.#alarm = new JobAlarm(needs.storage);
  }

  /**
   * Sets the alarm for the job's next deadline. An ended job has an early alarm exactly as long as not all that leaves
   * it is known to be sent, and then one for the archive: the alarm is the mark, and saves a write.
   * @param overdueAt when to come back to what is overdue all the same: the alarm has just tried it in vain
   */
  aim(job: JobRecord, overdueAt = 0): void {
    const now = Date.now();
    if (isEnded(job.status)) {
      const unsent = job.eventSeq > job.sentSeq || job.notices.length > 0 || job.unreleased.length > 0;
      if (unsent) this.#alarm.aim(Math.max(now + this.#needs.settings.leaseMs, overdueAt));
      else this.#alarm.settle(this.archiveAt(job));
      return;
    }
    const at = this.#deadline(job);
    this.#alarm.aim(at !== null && at <= now ? Math.max(at, overdueAt) : at);
  }

  /** The alarm has gone off. */
  consumed(): void {
    this.#withdrawAt = Infinity;
    this.#alarm.consumed();
  }

  /** Shards are being told of attempts to let go of: one that does not answer in time is told again. */
  telling(): void {
    this.#tellAt = Date.now() + this.#needs.settings.leaseMs;
  }

  /** Some shards have not answered: they are to be told again then. */
  tellAgain(at: number): void {
    this.#tellAt = at;
    this.#alarm.aim(at);
  }

  /** The shards of some tasks of a paused job have not answered: they are to be asked again then. */
  withdrawAgain(at: number): void {
    this.#withdrawAt = at;
    this.#alarm.aim(at);
  }

  /**
   * When the ended job is to go to the archive; null for a job that lives, for one in quarantine, which waits for
   * somebody to look at it, and where there is no archive.
   */
  archiveAt({ finishedAt, status }: JobRecord): number | null {
    if (!this.#needs.hasArchive || finishedAt === null || status === "quarantined") return null;
    return finishedAt + this.#needs.settings.jobRetentionMs;
  }

  /** After an eviction, sees to the alarm. @returns the job with what the alarm has kept, and is not written each time it changes */
  async found(job: JobRecord): Promise<JobRecord> {
    this.telling();
    const alarmAt = await this.#alarm.repair(this.#deadline(job));
    if (isEnded(job.status)) {
      const archiveAt = this.archiveAt(job);
      const allSent = archiveAt === null ? alarmAt === null : alarmAt !== null && alarmAt >= archiveAt;
      return allSent ? { ...job, sentSeq: job.eventSeq, unsent: [], notices: [], unreleased: [] } : job;
    }
    // The alarm of a paused job may be there to take back what could not be taken back yet.
    if (job.pause !== null) this.#withdrawAt = alarmAt ?? Infinity;
    if (job.checkAt === null || alarmAt === null) return job;
    // With several shards, an alarm before all known deadlines was set to look at tasks that wait.
    const spills = !isSingle(this.#needs.settings.shards) && alarmAt < (this.#deadline(job) ?? 0);
    return spills ? { ...job, spillAt: alarmAt } : { ...job, checkAt: Math.max(job.checkAt, alarmAt) };
  }

  #deadline(job: JobRecord): number | null {
    const first = nextDeadline(job, this.#needs.timed(), this.#needs.settings.leaseMs) ?? Infinity;
    const tellAt = job.unreleased.length === 0 ? Infinity : this.#tellAt;
    const at = Math.min(first, tellAt, job.pause === null ? Infinity : this.#withdrawAt);
    return at === Infinity ? null : at;
  }
}
