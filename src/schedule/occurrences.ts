import { nextCron, previousCron } from "./cron.ts";

/** What makes a schedule come up. All times are epoch ms. */
type Recurrence =
  | { readonly kind: "cron"; readonly pattern: string; readonly timeZone: string }
  | { readonly kind: "interval"; readonly everyMs: number; readonly anchorAt: number }
  | { readonly kind: "once"; readonly at: number };

/** When a schedule comes up: each moment of it is an occurrence. The bounds are part of it. */
export interface Timing {
  readonly recurrence: Recurrence;
  readonly startsAt: number | null;
  readonly endsAt: number | null;
}

function next(recurrence: Recurrence, after: number): number | null {
  switch (recurrence.kind) {
    case "cron":
      return nextCron(recurrence.pattern, recurrence.timeZone, after);
    case "interval": {
      const { anchorAt, everyMs } = recurrence;
      return anchorAt + Math.max(0, Math.floor((after - anchorAt) / everyMs) + 1) * everyMs;
    }
    case "once":
      return recurrence.at > after ? recurrence.at : null;
  }
}

function previous(recurrence: Recurrence, before: number): number | null {
  switch (recurrence.kind) {
    case "cron":
      return previousCron(recurrence.pattern, recurrence.timeZone, before);
    case "interval": {
      const { anchorAt, everyMs } = recurrence;
      return before <= anchorAt ? null : anchorAt + (Math.ceil((before - anchorAt) / everyMs) - 1) * everyMs;
    }
    case "once":
      return recurrence.at < before ? recurrence.at : null;
  }
}

/** The first occurrence strictly after a moment; null when there is none. */
export function nextOccurrence({ recurrence, startsAt, endsAt }: Timing, after: number): number | null {
  const at = next(recurrence, startsAt === null ? after : Math.max(after, startsAt - 1));
  return at === null || (endsAt !== null && at > endsAt) ? null : at;
}

/** The last occurrence strictly before a moment; null when there is none. */
export function previousOccurrence({ recurrence, startsAt, endsAt }: Timing, before: number): number | null {
  const at = previous(recurrence, endsAt === null ? before : Math.min(before, endsAt + 1));
  return at === null || (startsAt !== null && at < startsAt) ? null : at;
}

/** The first occurrences after a moment, oldest first, at most `limit`. */
export function nextOccurrences(timing: Timing, after: number, limit: number): number[] {
  const found: number[] = [];
  for (let at = nextOccurrence(timing, after); at !== null && found.length < limit; at = nextOccurrence(timing, at)) {
    found.push(at);
  }
  return found;
}

/** The newest occurrences after one moment and up to another, oldest first, at most `limit`; it takes no longer when there were millions. */
export function newestOccurrences(timing: Timing, after: number, until: number, limit: number): number[] {
  const found: number[] = [];
  for (
    let at = previousOccurrence(timing, until + 1);
    at !== null && at > after && found.length < limit;
    at = previousOccurrence(timing, at)
  ) {
    found.push(at);
  }
  return found.toReversed();
}
