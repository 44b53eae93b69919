/** How many jobs a client may create in a calendar day or month (UTC). */
export interface Quota {
  limit: number;
  period: "day" | "month";
}

/** What a client has used of its quota: the one value its object keeps. Times are epoch ms. */
export interface QuotaUse {
  period: Quota["period"];
  startsAt: number;
  spent: number;
}

/** Outcome of asking for one unit. `resetsAt` (epoch ms) is when the whole quota is there again. */
export interface QuotaAnswer {
  ok: boolean;
  remaining: number;
  resetsAt: number;
}

/**
 * Takes one unit of a quota, if one is left.
 * A changed limit holds at once and what was spent in the period still counts; a changed period starts afresh.
 * A refusal leaves the use as it was: `use` is then the very value that was given.
 */
export function spendQuota(
  use: QuotaUse | undefined,
  quota: Quota,
  now: number,
): { answer: QuotaAnswer; use: QuotaUse | undefined } {
  const current = currentUse(use, quota.period, now);
  const resetsAt = periodStart(current.startsAt, quota.period, 1);
  if (current.spent >= quota.limit) return { answer: { ok: false, remaining: 0, resetsAt }, use };
  const spent = current.spent + 1;
  return { answer: { ok: true, remaining: quota.limit - spent, resetsAt }, use: { ...current, spent } };
}

/** A clock that steps back over midnight must not refill the quota, so a later stored period stays. */
function currentUse(use: QuotaUse | undefined, period: Quota["period"], now: number): QuotaUse {
  const startsAt = periodStart(now, period, 0);
  if (use !== undefined && use.period === period && use.startsAt >= startsAt) return use;
  return { period, startsAt, spent: 0 };
}

function periodStart(at: number, period: Quota["period"], ahead: number): number {
  const date = new Date(at);
  return period === "day"
    ? Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate() + ahead)
    : Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + ahead);
}
