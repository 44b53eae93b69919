import type { JsonObject } from "@batuta/worker/protocol";
import { nextOccurrences } from "./occurrences.ts";
import { type Progress, type Run, type ScheduleEntry, timingOf } from "./schedule.ts";

/** Occurrences shown ahead. */
const SHOWN_AHEAD = 5;

const iso = (at: number): string => new Date(at).toISOString();

function upcoming({ schedule, progress }: ScheduleEntry, limit: number): string[] {
  if (progress.pausedAt !== null) return [];
  return nextOccurrences(timingOf(schedule.spec, schedule.createdAt), progress.decidedUntil, limit).map(iso);
}

function status(progress: Progress, next: readonly string[]): "active" | "ended" | "paused" {
  if (progress.pausedAt !== null) return "paused";
  return next.length === 0 && progress.waiting.length === 0 ? "ended" : "active";
}

function runView(run: Run): JsonObject {
  const { outcome, occurrence, at } = run;
  const base = { occurrence: iso(occurrence), outcome, at: iso(at) };
  switch (run.outcome) {
    case "started":
      return { ...base, by: run.by, job_id: run.jobId };
    case "skipped":
      return { ...base, from: iso(run.from), reason: run.reason };
    case "failed":
      return { ...base, reason: run.reason, error: run.error };
  }
}

/** A schedule in a list. */
export function scheduleSummary(entry: ScheduleEntry): JsonObject {
  const { spec, createdAt, updatedAt } = entry.schedule;
  const { initial_data: _input, metadata: _labels, webhook_url: _url, ...shown } = spec;
  const next = upcoming(entry, 1);
  const last = entry.progress.runs.at(-1);
  return {
    ...shown,
    status: status(entry.progress, next),
    next_occurrence: next[0] ?? null,
    last_run: last === undefined ? null : runView(last),
    created_at: iso(createdAt),
    updated_at: iso(updatedAt),
  };
}

/** A schedule with all there is to know of it: the occurrences ahead, those that wait, and the last runs, newest first. */
export function scheduleView(entry: ScheduleEntry): JsonObject {
  const { spec, owner, createdAt, updatedAt } = entry.schedule;
  const { pausedAt, waiting, runs } = entry.progress;
  const next = upcoming(entry, SHOWN_AHEAD);
  return {
    ...spec,
    webhook_url: owner.webhookUrl,
    status: status(entry.progress, next),
    paused_at: pausedAt === null ? null : iso(pausedAt),
    next_occurrences: next,
    waiting: waiting.map(iso),
    runs: runs.map(runView).toReversed(),
    created_at: iso(createdAt),
    updated_at: iso(updatedAt),
  };
}
