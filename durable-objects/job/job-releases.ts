import type { Configuration } from "../../src/configuration.ts";
import { nextRelease, unreleasedOf, type ReleasedAttempt } from "../../src/job/unreleased.ts";
import type { JobWork } from "./job-work.ts";
import type { LiveJob } from "./live-job.ts";

interface ReleaseNeeds {
  readonly settings: Configuration;
  readonly live: LiveJob;
  readonly work: JobWork;
}

/**
 * Tells shards of attempts that nobody wants any more, until they have answered: a shard that was away could still give
 * them to a worker. The job's record has what is still to be told.
 */
export class JobReleases {
  readonly #needs: ReleaseNeeds;
  /** What shards are being told at present: told twice, they would keep it as something that is still to come. */
  readonly #underWay = new Set<ReleasedAttempt>();

  constructor(needs: ReleaseNeeds) {
    this.#needs = needs;
  }

  /**
   * Tells the shards of these attempts, which the job has noted. Never throws.
   * @returns the ids of the tasks that a live worker had
   */
  async send(attempts: readonly ReleasedAttempt[]): Promise<string[]> {
    const { live, work, settings } = this.#needs;
    const { record } = live;
    if (record === null || attempts.length === 0) return [];
    for (const attempt of attempts) this.#underWay.add(attempt);
    const answers = await work.release(record, attempts);
    for (const attempt of attempts) this.#underWay.delete(attempt);
    live.released(attempts.filter((_, i) => (answers[i] ?? null) !== null));
    const unreleased = live.record?.unreleased ?? [];
    const isLate = attempts.some((_, i) => (answers[i] ?? null) === null);
    const again = isLate ? nextRelease(unreleased, Date.now(), settings.leaseMs) : null;
    if (again !== null) live.times.tellAgain(again);
    return attempts.filter((_, i) => answers[i]).map(({ id }) => id);
  }

  /** Tells those again that did not answer. */
  async again(): Promise<void> {
    const { record } = this.#needs.live;
    if (record === null || record.unreleased.length === 0) return;
    const underWay = [...this.#underWay];
    const isUnderWay = ({ id, attempt, shard }: ReleasedAttempt) =>
      underWay.some((other) => other.id === id && other.attempt === attempt && other.shard === shard);
    await this.send(unreleasedOf(record).filter((attempt) => !isUnderWay(attempt)));
  }
}
