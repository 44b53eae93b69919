import type { JobClient } from "../blueprint/index.ts";
import type { Quota } from "../access/quota.ts";
import type { Rules } from "./decide.ts";
import type { Timing } from "./occurrences.ts";
import type { ScheduleSpec } from "./spec.ts";
import type { Region } from "../registry/regions.ts";

/** Whose jobs a schedule makes: the client as it was when the schedule was last written. */
export interface ScheduleOwner {
  readonly client: JobClient;
  /** Null: no limit. */
  readonly quota: Quota | null;
  /** Where its jobs report; null for nowhere. */
  readonly webhookUrl: string | null;
  /** Where its jobs' tasks should run; null or absent for anywhere. */
  readonly region?: Region | null;
}

/** A schedule as its client last wrote it. Times are epoch ms. */
export interface Schedule {
  readonly spec: ScheduleSpec;
  readonly owner: ScheduleOwner;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** Why an occurrence was left out. */
export type SkipReason = "catch_up" | "overlap" | "paused" | "queue_full" | "quota";
/** Why an occurrence made no job. */
export type FailReason = "client_missing" | "blueprint_missing" | "input_invalid" | "create_failed";

/** What became of an occurrence, or of a row of them that were left out for the same reason. Times are epoch ms. */
export type Run =
  | {
      readonly outcome: "started";
      /** The occurrence; for a run by hand the moment somebody asked for it. */
      readonly occurrence: number;
      readonly by: "schedule" | "hand";
      readonly jobId: string;
      readonly at: number;
    }
  | {
      readonly outcome: "skipped";
      /** The last of the row. */
      readonly occurrence: number;
      readonly from: number;
      readonly reason: SkipReason;
      readonly at: number;
    }
  | {
      readonly outcome: "failed";
      readonly occurrence: number;
      readonly reason: FailReason;
      readonly error: string;
      readonly at: number;
    };

/** All of a schedule that changes by itself: one value, written whole. Times are epoch ms. */
export interface Progress {
  /** Version of this shape. */
  readonly v: 1;
  /** Every occurrence up to here was decided on. */
  readonly decidedUntil: number;
  readonly pausedAt: number | null;
  /** Occurrences that are to be run and have not been, oldest first. */
  readonly waiting: readonly number[];
  /** When to look at them; a moment that has passed when nothing speaks against it. */
  readonly lookAt: number;
  /** How often the first of them was put off in a row. */
  readonly putOff: number;
  /** When creating the job of the first of them first went wrong; null while it has not. */
  readonly troubleSince: number | null;
  /** The client's quota has been charged for the first of them. */
  readonly charged: boolean;
  /** The newest jobs that are not known to have ended, oldest first. */
  readonly open: readonly string[];
  /** Newest last. */
  readonly runs: readonly Run[];
}

/** A schedule and how far it is. */
export interface ScheduleEntry {
  readonly schedule: Schedule;
  readonly progress: Progress;
}

const parseTime = (text: string | null): number | null => (text === null ? null : Date.parse(text));

/** @param createdAt where intervals count from unless they have a start of their own */
export function timingOf(spec: ScheduleSpec, createdAt: number): Timing {
  const startsAt = parseTime(spec.starts_at);
  const bounds = { startsAt, endsAt: parseTime(spec.ends_at) };
  if (spec.cron !== null) {
    return { recurrence: { kind: "cron", pattern: spec.cron, timeZone: spec.time_zone ?? "UTC" }, ...bounds };
  }
  if (spec.every_seconds !== null) {
    const recurrence = {
      kind: "interval",
      everyMs: spec.every_seconds * 1_000,
      anchorAt: startsAt ?? createdAt,
    } as const;
    return { recurrence, ...bounds };
  }
  return { recurrence: { kind: "once", at: Date.parse(spec.at ?? "") }, ...bounds };
}

export function rulesOf({ spec, owner, createdAt }: Schedule): Rules {
  return {
    timing: timingOf(spec, createdAt),
    catchUp: spec.catch_up,
    graceMs: spec.grace_seconds * 1_000,
    spreadMs: spec.jitter_seconds * 1_000,
    seed: `${owner.client.name}\n${spec.id}`,
  };
}
