/** A time span; its parts are added up. */
export interface Duration {
  readonly days?: number;
  readonly hours?: number;
  readonly minutes?: number;
  readonly seconds?: number;
  readonly ms?: number;
}

/** A moment: epoch ms, ISO 8601 or a Date. */
export type Moment = number | string | Date;

/** @throws {RangeError} for a span that leads backwards or nowhere */
export function msOf({ days = 0, hours = 0, minutes = 0, seconds = 0, ms = 0 }: Duration): number {
  const sum = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000 + ms;
  if (sum >= 0) return sum;
  throw new RangeError(`Time goes forwards only: ${sum} ms is no time to pass.`);
}

/** @throws {RangeError} for a text that is no time */
export function epochMs(moment: Moment): number {
  const at = new Date(moment).getTime();
  if (!Number.isNaN(at)) return at;
  throw new RangeError(`'${String(moment)}' is no time. Write it in ISO 8601, such as 2027-01-31T08:00:00Z.`);
}
