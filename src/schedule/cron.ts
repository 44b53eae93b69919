import { Cron } from "croner";

/**
 * A pattern without wildcards names times of the day: where the clocks go forward over one of them it runs right after the gap, and
 * where they go back it runs once. Any other pattern counts hours and minutes: it leaves a gap out and runs in both passes.
 */
function cron(pattern: string, timeZone: string): Cron {
  return new Cron(pattern, { timezone: timeZone, paused: true, fixedTimeRule: "no-wildcard" });
}

/** What is wrong with a cron pattern and its time zone, for their author; null when both can be used. */
export function cronFault(
  pattern: string,
  timeZone: string,
): { readonly field: "cron" | "time_zone"; readonly text: string } | null {
  try {
    Intl.DateTimeFormat("en", { timeZone });
  } catch {
    return { field: "time_zone", text: `'${timeZone}' is no time zone. Write one such as 'Europe/Berlin' or 'UTC'.` };
  }
  try {
    // The library also reads a date here, which is not a pattern.
    if (cron(pattern, timeZone).getOnce() === null) return null;
    return { field: "cron", text: "is a moment, not a pattern. Write it as 'at'." };
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^CronPattern: /, "") : "not readable";
    return { field: "cron", text: `is no cron pattern: ${why}` };
  }
}

/**
 * The first time a pattern comes up strictly after a moment; null when it never does again.
 * @param after epoch ms, as is the answer, which is a whole second
 */
export function nextCron(pattern: string, timeZone: string, after: number): number | null {
  return cron(pattern, timeZone).nextRun(new Date(after))?.getTime() ?? null;
}

/** The last time a pattern came up strictly before a moment; null when it never did. */
export function previousCron(pattern: string, timeZone: string, before: number): number | null {
  return cron(pattern, timeZone).previousRuns(1, new Date(before))[0]?.getTime() ?? null;
}
