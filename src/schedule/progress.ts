import { MAX_REMEMBERED_RUNS, MAX_WAITING_OCCURRENCES } from "../limits.ts";
import { decide } from "./decide.ts";
import { nextOccurrence, previousOccurrence } from "./occurrences.ts";
import { type FailReason, type Progress, rulesOf, type Run, type Schedule, type SkipReason } from "./schedule.ts";
import { dueTime } from "./spread.ts";

/** Jobs of a schedule that are looked at before the next one starts; older ones, which only many runs by hand can leave, are forgotten. */
const MAX_OPEN_JOBS = 20;

/** Pauses between looks at a job that has not ended: short ones first, since many jobs are. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_LOOK_PAUSE_MS = 10_000;
const LONGEST_TROUBLE_PAUSE_MS = 300_000;

/** How long creating a job may go wrong before its occurrence counts as failed, so that one bad job cannot stop a schedule for ever. */
const GIVE_UP_AFTER_MS = 86_400_000;

/** A schedule that has just been made: occurrences after this moment are its own. */
export function newProgress(now: number): Progress {
  return {
    v: 1,
    decidedUntil: now,
    pausedAt: null,
    waiting: [],
    lookAt: 0,
    putOff: 0,
    troubleSince: null,
    charged: false,
    open: [],
    runs: [],
  };
}

function remember(progress: Progress, run: Run): Progress {
  return { ...progress, runs: [...progress.runs, run].slice(-MAX_REMEMBERED_RUNS) };
}

/** Notes that occurrences were left out. A row of them is one run, or an hour of them would push out all else. */
function leaveOut(
  schedule: Schedule,
  progress: Progress,
  { from, to, reason }: { from: number; to: number; reason: SkipReason },
  now: number,
): Progress {
  const last = progress.runs.at(-1);
  const run = { outcome: "skipped", from, occurrence: to, reason, at: now } as const;
  if (last?.outcome !== "skipped" || last.reason !== reason) return remember(progress, run);
  if (nextOccurrence(rulesOf(schedule).timing, last.occurrence) !== from) return remember(progress, run);
  return { ...progress, runs: [...progress.runs.slice(0, -1), { ...run, from: last.from }] };
}

/** The first of the waiting occurrences is done with. */
function shift(progress: Progress): Progress {
  return { ...progress, waiting: progress.waiting.slice(1), lookAt: 0, putOff: 0, troubleSince: null, charged: false };
}

/**
 * Decides on what has come due: it waits to be run from here on, or was left out. Returns the same value when nothing has.
 * @param spreadMs for how long occurrences are put off; as the schedule says when absent
 */
export function takeDue(schedule: Schedule, progress: Progress, now: number, spreadMs?: number): Progress {
  if (progress.pausedAt !== null) return progress;
  const rules = rulesOf(schedule);
  const decision = decide({ ...rules, spreadMs: spreadMs ?? rules.spreadMs }, progress.decidedUntil, now);
  if (decision === null) return progress;
  const { run, passedOver, decidedUntil } = decision;
  const room = MAX_WAITING_OCCURRENCES - progress.waiting.length;
  const tooMany = run.slice(room);
  let taken: Progress = { ...progress, decidedUntil, waiting: [...progress.waiting, ...run.slice(0, room)] };
  if (passedOver !== null) taken = leaveOut(schedule, taken, { ...passedOver, reason: "catch_up" }, now);
  const [from] = tooMany;
  if (from === undefined) return taken;
  return leaveOut(schedule, taken, { from, to: decidedUntil, reason: "queue_full" }, now);
}

/** When something is to be done about a schedule, epoch ms; null for never. */
export function wakeTime(schedule: Schedule, progress: Progress): number | null {
  if (progress.pausedAt !== null) return null;
  const rules = rulesOf(schedule);
  const at = nextOccurrence(rules.timing, progress.decidedUntil);
  const times = [
    ...(at === null ? [] : [dueTime(rules.timing, rules, at)]),
    ...(progress.waiting.length === 0 ? [] : [progress.lookAt]),
  ];
  return times.length === 0 ? null : Math.min(...times);
}

/** The first waiting occurrence has its job. */
export function started(progress: Progress, occurrence: number, jobId: string, now: number): Progress {
  return noteJob(shift(progress), { outcome: "started", occurrence, by: "schedule", jobId, at: now });
}

/** Somebody had the schedule run by hand; a repeated request is the same run. */
export function startedByHand(progress: Progress, jobId: string, now: number): Progress {
  if (progress.runs.some((run) => run.outcome === "started" && run.jobId === jobId)) return progress;
  return noteJob(progress, { outcome: "started", occurrence: now, by: "hand", jobId, at: now });
}

function noteJob(progress: Progress, run: Extract<Run, { outcome: "started" }>): Progress {
  const open = [...progress.open.filter((id) => id !== run.jobId), run.jobId].slice(-MAX_OPEN_JOBS);
  return remember({ ...progress, open }, run);
}

/** The first waiting occurrence is left out. */
export function skipped(
  schedule: Schedule,
  progress: Progress,
  occurrence: number,
  reason: SkipReason,
  now: number,
): Progress {
  return leaveOut(schedule, shift(progress), { from: occurrence, to: occurrence, reason }, now);
}

/** The first waiting occurrence can have no job. */
export function failed(
  progress: Progress,
  occurrence: number,
  fault: { readonly reason: FailReason; readonly error: string },
  now: number,
): Progress {
  return remember(shift(progress), {
    outcome: "failed",
    occurrence,
    reason: fault.reason,
    error: fault.error,
    at: now,
  });
}

/** The first waiting occurrence waits for the job before it. */
export function waitForJob(progress: Progress, now: number): Progress {
  return putOff(progress, now, LONGEST_LOOK_PAUSE_MS);
}

/** Something went wrong that may pass: the first waiting occurrence is tried again, for a day; then it has failed. */
export function inTrouble(progress: Progress, occurrence: number, error: string, now: number): Progress {
  const since = progress.troubleSince ?? now;
  if (now - since >= GIVE_UP_AFTER_MS) return failed(progress, occurrence, { reason: "create_failed", error }, now);
  return putOff({ ...progress, troubleSince: since }, now, LONGEST_TROUBLE_PAUSE_MS);
}

function putOff(progress: Progress, now: number, longestMs: number): Progress {
  const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(progress.putOff, 20), longestMs);
  return { ...progress, putOff: progress.putOff + 1, lookAt: now + pauseMs };
}

/**
 * Stops a schedule. What waits, and what has come due and was not decided on, is left out.
 * @param headJob the job of the first waiting occurrence, should it exist although nobody noted it
 */
export function paused(schedule: Schedule, progress: Progress, headJob: string | null, now: number): Progress {
  if (progress.pausedAt !== null) return progress;
  const [head] = progress.waiting;
  let stopped = head === undefined || headJob === null ? progress : started(progress, head, headJob, now);
  while (stopped.waiting[0] !== undefined) stopped = skipped(schedule, stopped, stopped.waiting[0], "paused", now);
  return passOver(schedule, { ...stopped, pausedAt: now }, now);
}

/** Lets a schedule go on from now: what came up during the pause is left out. */
export function resumed(schedule: Schedule, progress: Progress, now: number): Progress {
  if (progress.pausedAt === null) return progress;
  return passOver(schedule, { ...progress, pausedAt: null }, now);
}

/** Leaves out what came up until now, as far as it was not decided on. */
function passOver(schedule: Schedule, progress: Progress, now: number): Progress {
  const { timing } = rulesOf(schedule);
  const from = nextOccurrence(timing, progress.decidedUntil);
  const to = previousOccurrence(timing, now + 1);
  const decided = { ...progress, decidedUntil: Math.max(progress.decidedUntil, now) };
  if (from === null || to === null || to < from) return decided;
  return leaveOut(schedule, decided, { from, to, reason: "paused" }, now);
}

/** A schedule was written anew: what was due by then still belongs to the old one, what comes after to the new one. */
export function replaced(before: Schedule, progress: Progress, now: number): Progress {
  const settled = progress.pausedAt === null ? takeDue(before, progress, now, 0) : passOver(before, progress, now);
  return { ...settled, decidedUntil: Math.max(settled.decidedUntil, now) };
}
