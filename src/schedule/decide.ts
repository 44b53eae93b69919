import { MAX_CAUGHT_UP } from "../limits.ts";
import { newestOccurrences, nextOccurrence, previousOccurrence, type Timing } from "./occurrences.ts";
import { dueTime, type Spread } from "./spread.ts";

/** What becomes of occurrences that nobody was there for: none of them, one for all of them, or each of them. */
export const CATCH_UP = ["skip", "latest", "all"] as const;
type CatchUp = (typeof CATCH_UP)[number];

/** All of a schedule that says which of its occurrences are run. */
export interface Rules extends Spread {
  readonly timing: Timing;
  readonly catchUp: CatchUp;
  /** An occurrence that is late by no more than this has not been missed. */
  readonly graceMs: number;
}

/** What was decided about the occurrences that have come due. */
export interface Decision {
  /** The occurrences to run, oldest first. */
  readonly run: readonly number[];
  /** The first and the last of those that are not; they come before all that are. */
  readonly passedOver: { readonly from: number; readonly to: number } | null;
  /** The last occurrence that the decision is about. */
  readonly decidedUntil: number;
}

/**
 * Decides about all occurrences after `decidedUntil` that are due.
 *
 * While the oldest of them is within the grace nothing was missed, and each is run. Otherwise the schedule was away, and its catch-up
 * policy decides. At most {@link MAX_CAUGHT_UP} are run in any case, the newest ones.
 *
 * @param now epoch ms
 * @returns null when none is due
 */
export function decide(rules: Rules, decidedUntil: number, now: number): Decision | null {
  const { timing, catchUp, graceMs } = rules;
  const first = nextOccurrence(timing, decidedUntil);
  if (first === null || first > now || dueTime(timing, rules, first) > now) return null;
  const due = newestOccurrences(timing, decidedUntil, now, MAX_CAUGHT_UP + 1).filter(
    (at) => dueTime(timing, rules, at) <= now,
  );
  const isOnTime = (at: number) => dueTime(timing, rules, at) >= now - graceMs;
  const wanted = {
    skip: () => due.filter(isOnTime),
    latest: () => due.slice(-1),
    all: () => due,
  };
  const run = (isOnTime(first) ? due : wanted[catchUp]()).slice(-MAX_CAUGHT_UP);
  const last = due.at(-1) ?? first;
  const firstRun = run[0];
  const to = firstRun === undefined ? last : previousOccurrence(timing, firstRun);
  return {
    run,
    passedOver: to === null || to < first ? null : { from: first, to },
    decidedUntil: last,
  };
}
