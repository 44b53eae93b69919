import { RELEASE_KEPT_MS } from "../limits.ts";
import type { Change, JobRecord } from "./record.ts";

/** An attempt of a task, in the shard that is to let go of it. */
export interface ReleasedAttempt {
  readonly id: string;
  readonly attempt: number;
  readonly shard: string;
}

/**
 * Attempts that nobody wants any more, of which a shard has not said that it knows. Kept short, since a cancelled fan-out
 * has thousands of them.
 */
export interface Unreleased {
  readonly shard: string;
  /** When they were let go, epoch ms. */
  readonly since: number;
  /** What follows the job's id in the task's, and the attempt. */
  readonly attempts: readonly (readonly [suffix: string, attempt: number])[];
}

const key = ({ id, attempt, shard }: ReleasedAttempt) => `${id} ${attempt} ${shard}`;

/** The attempts whose shards are still to be told. */
export function unreleasedOf({ id, unreleased }: Pick<JobRecord, "id" | "unreleased">): ReleasedAttempt[] {
  return unreleased.flatMap(({ shard, attempts }) =>
    attempts.map(([suffix, attempt]) => ({ id: `${id}${suffix}`, attempt, shard })),
  );
}

/** The job with attempts noted that shards are to be told of. @param now epoch ms */
export function withUnreleased(job: JobRecord, letGo: readonly ReleasedAttempt[], now: number): JobRecord {
  const known = new Set(unreleasedOf(job).map(key));
  const named = new Map(letGo.map((attempt) => [key(attempt), attempt]));
  const fresh = [...named].flatMap(([name, attempt]) => (known.has(name) ? [] : [attempt]));
  if (fresh.length === 0) return job;
  const added = [...Map.groupBy(fresh, ({ shard }) => shard)].map(([shard, those]) => ({
    shard,
    since: now,
    attempts: those.map(({ id, attempt }) => [id.slice(job.id.length), attempt] as const),
  }));
  return { ...job, unreleased: [...job.unreleased, ...added] };
}

/** A change whose attempts are let go of by whoever commits it, and not with the commit. */
export function withReleasesNoted(change: Change, now: number): Change {
  return { ...change, record: withUnreleased(change.record, change.releases, now), releases: [] };
}

/** What is left once shards have answered for some attempts, and others are out of time: nothing of them can be left. */
export function stillUnreleased(
  job: Pick<JobRecord, "id" | "unreleased">,
  told: readonly ReleasedAttempt[],
  now: number,
): readonly Unreleased[] {
  const gone = new Set(told.map(key));
  return job.unreleased.flatMap(({ shard, since, attempts }) => {
    if (since <= now - RELEASE_KEPT_MS) return [];
    const left = attempts.filter(([suffix, attempt]) => !gone.has(key({ id: `${job.id}${suffix}`, attempt, shard })));
    return left.length === 0 ? [] : [{ shard, since, attempts: left }];
  });
}

/**
 * When shards that were away are told again: soon at first, then after as long as they have been away.
 * @param longestMs the longest pause
 * @returns epoch ms; null when none is to be told
 */
export function nextRelease(unreleased: readonly Unreleased[], now: number, longestMs: number): number | null {
  if (unreleased.length === 0) return null;
  const youngest = Math.max(...unreleased.map(({ since }) => since));
  return now + Math.min(Math.max(SOONEST_MS, now - youngest), longestMs);
}

const SOONEST_MS = 5_000;
