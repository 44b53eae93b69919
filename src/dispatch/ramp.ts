/** New tasks of a type that go to workers of one version. */
export interface Ramp {
  readonly version: string;
  /** 0 to 100. */
  readonly percent: number;
}

/** Which workers a task of a ramped type is for: those of the ramp's version, or the rest. */
export type Side = "ramped" | "rest";

/** Hundredths of a percent. */
const BUCKETS = 10_000;

/** FNV-1a with a last stir, so that ids that differ in their last digit only fall into different buckets. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

/** The same task is always on the same side, and one that is ramped at 10 % is so at 20 %. */
export function sideOf(taskId: string, { percent }: Ramp): Side {
  return ((hash(taskId) % BUCKETS) * 100) / BUCKETS < percent ? "ramped" : "rest";
}

/** Why a worker of this version is on the other side; null when it is on the task's. */
export function otherSide(side: Side, { version, percent }: Ramp, workers: string | undefined): string | null {
  if (side === "ramped") return workers === version ? null : `version ${workers ?? "unknown"} is not ${version} (ramp)`;
  if (workers !== version) return null;
  return `version ${version} takes ${percent} % of the tasks, and this is not one of them (ramp)`;
}
